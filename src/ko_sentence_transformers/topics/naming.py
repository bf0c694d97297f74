"""Names from a language model behind an OpenAI-compatible endpoint; only when one is asked for."""

from __future__ import annotations

import json
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..errors import InputError
from .describe import Topic

logger = logging.getLogger(__name__)

KEY_VARIABLE = "KO_ST_API_KEY"
_TASK = (
    "다음은 한 주제에 속한 낱말과 글입니다. 이 주제를 2~5어절의 한국어 명사구로 이름 지으세요. "
    "이름만 답하세요.\n\n낱말: {words}\n\n글:\n{texts}"
)


def name_topics(
    topics: Sequence[Topic],
    *,
    endpoint: str,
    model: str,
    progress: Callable[[int], None] | None = None,
    timeout: float = 60,
) -> list[Topic]:
    """Return the topics with names asked from ``endpoint``; its words and representatives are sent there.

    A topic keeps its own name where the answer is empty. The key is read from the variable
    :data:`KEY_VARIABLE`, if it is set.

    :param endpoint: base address, such as ``http://localhost:8000/v1``.
    :raises InputError: if the endpoint cannot be reached or refuses.
    """
    if not endpoint.startswith(("http://", "https://")):
        raise InputError(f"endpoint {endpoint!r} is no http address; write it as http://localhost:8000/v1")
    named = []
    for topic in topics:
        name = _ask(endpoint.rstrip("/") + "/chat/completions", model, topic, timeout)
        if not name:
            logger.warning("topic %d: the endpoint gave no name; it stays %r", topic.topic, topic.name)
        named.append(replace(topic, name=name or topic.name))
        if progress:
            progress(1)
    return named


def _ask(address: str, model: str, topic: Topic, timeout: float) -> str:
    texts = "\n".join(f"- {text[:200]}" for text in topic.representatives)
    prompt = _TASK.format(words=", ".join(topic.words), texts=texts)
    body = {"model": model, "temperature": 0, "max_tokens": 40, "messages": [{"role": "user", "content": prompt}]}
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get(KEY_VARIABLE):
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(address, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            answer = json.load(response)["choices"][0]["message"]["content"] or ""
    except urllib.error.HTTPError as error:
        raise InputError(f"{address} answered {error.code} {error.reason}; check the model name and key") from error
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(f"{address} gave no usable answer ({error}); check the address") from error
    first = next((line.strip() for line in str(answer).splitlines() if line.strip()), "")
    return first.strip("\"'“”‘’`*#. ")[:40]
