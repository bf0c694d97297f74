"""The model that a run starts from: an encoder or a sentence-transformers folder, on disk or of the hub."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from .._extras import require
from ..errors import ModelError, ModelFolderError, UnknownModelError
from ..hub import fetch_folder
from ..kobert import check_golden, convert_folder, is_kobert
from ..model import copy_model
from ..model_folder import unknown_id
from ..recipe import Model
from ..registry import SHIPPED_FOLDER

# Tokens up to which attention is computed plainly on a processor: the fused kernel's backward pass takes half of a
# step there, and only long rows need the memory that it saves.
_SHORT = 128


def load_base(model: Model, data: Path, *, download: bool = False) -> Any:
    """Return ``model.base`` as a ``SentenceTransformer`` in float32, on the CPU.

    A folder that sentence-transformers wrote keeps its own modules; a bare encoder gets ``model.pooling``.

    :param data: the data folder: a relative base is looked for beside it too.
    :param download: whether a hub model may be fetched.
    :raises ModelError: if there is no such model, or it is of a kind that cannot be trained.
    """
    st = require("sentence_transformers", extra="train")
    _quiet()
    with tempfile.TemporaryDirectory(prefix="ko-st-base-") as scratch:
        folder = _folder(model.base, data, Path(scratch), download)
        if model.tokenizer == "kobert" or is_kobert(folder):
            convert_folder(folder, Path(scratch) / "kobert")
            folder = Path(scratch) / "kobert"
        try:
            loaded = _loaded(st, folder, model)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelFolderError(f"{model.base} cannot be loaded: {reason}") from error
        check_golden(callable_tokenizer(loaded), folder)
    set_length(loaded, model.max_seq_length)
    if model.prompts:
        loaded.prompts = dict(model.prompts)
    return loaded.float()


def _folder(base: str, data: Path, scratch: Path, download: bool) -> Path:
    for path in (Path(base).expanduser(), data / base, data.parent / base):
        if (path / "config.json").is_file() or (path / "modules.json").is_file():
            return path
    if (SHIPPED_FOLDER / base / "modules.json").is_file() and "/" not in base:
        copy_model(base, scratch / "shipped")
        return scratch / "shipped"
    name, _, revision = base.partition("@")
    if base.startswith((".", "/", "~")) or "/" not in name:
        raise UnknownModelError(f"{base}: no such folder and no shipped model; set model.base to a folder")
    folder = fetch_folder(name, revision or None, download=download)
    return folder if _has_weights(folder) else _with_pickle(name, revision or None, download=download)


def _has_weights(folder: Path) -> bool:
    return any(folder.glob("*.safetensors")) or (folder / "pytorch_model.bin").is_file()


def _with_pickle(name: str, revision: str | None, *, download: bool) -> Path:
    """Fetch the old weight file of a hub model that has no other (some Korean BERTs); read as weights only."""
    if not download:
        raise ModelError(f"the weights of {name} are not on this disk; allow the download with --download")
    hub = require("huggingface_hub", extra="train")
    try:
        folder = Path(hub.snapshot_download(name, revision=revision, allow_patterns=["pytorch_model.bin"]))
    except Exception as error:  # its exceptions share no base
        reason = " ".join(str(error).split())[:160]
        raise ModelError(f"{name} could not be downloaded ({type(error).__name__}): {reason}") from error
    if not _has_weights(folder):
        raise ModelFolderError(f"{name} has no weights that can be trained (safetensors or pytorch_model.bin)")
    return folder


def _loaded(st: Any, folder: Path, model: Model) -> Any:
    if (folder / "modules.json").is_file():
        loaded = st.SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        if not has_network(loaded):
            return _static(loaded, model)
    else:
        modules = require("sentence_transformers.sentence_transformer.modules", extra="train")
        encoder = modules.Transformer(str(folder), max_seq_length=model.max_seq_length)
        pooling = modules.Pooling(encoder.get_embedding_dimension(), pooling_mode=model.pooling)
        loaded = st.SentenceTransformer(modules=[encoder, pooling], device="cpu")
    _set_dim(loaded, model.dim)
    if model.normalize and not isinstance(loaded[-1], modules.Normalize):
        loaded.append(modules.Normalize())
    network = loaded[0].auto_model
    if getattr(network, "pooler", None) is not None:
        # Trained for another task and not used by mean pooling: weights without a gradient.
        network.pooler = None
    if model.keep_layers:
        _keep_layers(network, model)
    if model.max_seq_length <= _SHORT and not require("torch", extra="train").cuda.is_available():
        network.set_attn_implementation("eager")
    return loaded


def _static(loaded: Any, model: Model) -> Any:
    """Return a static model if it is of the kind that can be trained on."""
    if not hasattr(loaded[0], "embedding"):
        raise ModelError(f"{model.base} begins with a {type(loaded[0]).__name__}; only text encoders are trained")
    width = loaded.get_embedding_dimension()
    if model.keep_layers or model.dim or model.static_dim not in (0, width):
        raise ModelError(f"{model.base} is a static model of {width} dimensions; leave dim and keep_layers out")
    return loaded


def has_network(model: Any) -> bool:
    """Whether a ``SentenceTransformer`` is more than a table of vectors."""
    return hasattr(model[0], "auto_model")


def set_length(model: Any, tokens: int) -> None:
    """Let ``model`` read at most ``tokens`` of a text; a static model reads every text whole."""
    if has_network(model):
        model.max_seq_length = tokens


def callable_tokenizer(model: Any) -> Any:
    """Return the tokenizer of ``model`` in transformers' form, which a static model's is not."""
    if has_network(model):
        return model.tokenizer
    fast = require("transformers", extra="train").PreTrainedTokenizerFast
    identity = unknown_id(model.tokenizer)
    names = {} if identity is None else {"unk_token": model.tokenizer.id_to_token(identity)}
    return fast(tokenizer_object=model.tokenizer, **names)


def _set_dim(loaded: Any, dim: int) -> None:
    """Leave the pooled vector alone where ``dim`` is named: what makes more of it is added after the training."""
    modules = require("sentence_transformers.sentence_transformer.modules", extra="train")
    width = loaded[0].get_embedding_dimension()
    if dim not in (0, width, 2 * width):
        raise ModelError(f"model.dim is {dim}; the encoder is {width} wide: set model.dim to {width} or {2 * width}")
    if dim:
        for place in reversed([n for n, module in enumerate(loaded) if isinstance(module, modules.Dense)]):
            del loaded[place]


def set_dropout(model: Any, share: float) -> None:
    """Drop ``share`` of the hidden values and of the attention in training, whatever the base was trained with."""
    torch = require("torch", extra="train")
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = share


def _keep_layers(network: Any, model: Model) -> None:
    torch = require("torch", extra="train")
    layers = getattr(getattr(network, "encoder", None), "layer", None)
    if layers is None or max(model.keep_layers) >= len(layers):
        count = 0 if layers is None else len(layers)
        raise ModelError(f"model.keep_layers is {list(model.keep_layers)}; {model.base} has {count} layers")
    network.encoder.layer = torch.nn.ModuleList([layers[i] for i in model.keep_layers])
    network.config.num_hidden_layers = len(model.keep_layers)


def _quiet() -> None:
    """Leave progress and reports to ours: the host's bars and tables would mix into the output."""
    for module in ("transformers", "datasets"):
        tools = require(module, extra="train").utils.logging
        for name in ("set_verbosity_error", "disable_progress_bar"):
            with suppress(AttributeError):
                getattr(tools, name)()
