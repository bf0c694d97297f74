import json
import sys

import numpy as np
import pytest

from character_encoder import CharacterEncoder
from ko_sentence_transformers import mteb_tasks
from ko_sentence_transformers.errors import DownloadError, InputError, MissingExtraError
from ko_sentence_transformers.mteb_tasks import MtebEncoder, MtebScore, evaluate_mteb, run_task


@pytest.fixture
def mteb():
    return pytest.importorskip("mteb")


def mock(name):
    return getattr(pytest.importorskip("mteb.mocks.mock_tasks"), name)()


@pytest.mark.filterwarnings("ignore")  # of mteb and what it imports
@pytest.mark.parametrize("name", ["MockSTSTask", "MockRetrievalTask", "MockBitextMiningTask"])
def test_mteb_runs_an_encoder_as_it_runs_a_model_of_its_own(mteb, name):
    """Against a plain model of mteb's protocol that has the vectors in a dictionary."""
    model = CharacterEncoder(name="/models/characters")
    task = mock(name)
    score = run_task(model, task)

    class Plain(MtebEncoder):
        def encode(self, inputs, **keywords):
            texts = [text for batch in inputs for text in batch["text"]]
            return np.stack([model.encode([text])[0] for text in texts])

    result = mteb.evaluate(Plain(model), mock(name), cache=None, co2_tracker=False, show_progress_bar=False)
    expected = {split: 100 * rows[0]["main_score"] for split, rows in result.task_results[0].scores.items()}
    assert score.splits == pytest.approx(expected)
    assert score.metric == task.metadata.main_score
    assert score.version == mteb.__version__
    json.dumps(score.as_dict())


@pytest.mark.filterwarnings("ignore")
def test_queries_and_documents_get_their_prompts(mteb):
    model = CharacterEncoder(prompts={"query": "질문: ", "document": "문서: "})
    run_task(model, mock("MockRetrievalTask"))
    assert {text[:4] for text in model.seen} == {"질문: ", "문서: "}


@pytest.mark.filterwarnings("ignore")
def test_unknown_tasks_and_data_that_cannot_be_had(mteb, monkeypatch):
    with pytest.raises(InputError, match="no Korean task 'KorST'; did you mean KorSTS"):
        evaluate_mteb(CharacterEncoder(), ["KorST"])

    def offline(*arguments, **keywords):
        raise ConnectionError("Couldn't reach the Hub\nat all")

    monkeypatch.setattr(mteb, "evaluate", offline)
    with pytest.raises(DownloadError, match=r"could not run KorSTS .*is this machine online") as caught:
        evaluate_mteb(CharacterEncoder(), ["KorSTS"])
    assert "\n" not in str(caught.value)


def test_without_mteb_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mteb", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'ko-sentence-transformers\[mteb\]'"):
        evaluate_mteb(CharacterEncoder())


def test_the_command_takes_mteb_names(monkeypatch, capsys):
    from ko_sentence_transformers import model as model_module
    from ko_sentence_transformers.cli import run

    def scores(model, names):
        return {name: MtebScore(name, "cosine_spearman", 81.234, {"test": 81.234}, "2") for name in names or ["all"]}

    monkeypatch.setattr(mteb_tasks, "evaluate_mteb", scores)
    monkeypatch.setattr(model_module, "load_model", lambda name, download: CharacterEncoder())
    assert run(["evaluate", "하나", "--task", "mteb:KorSTS", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mteb:KorSTS"]["score"] == 81.234
    assert run(["evaluate", "하나", "--task", "mteb"]) == 0
    assert capsys.readouterr().out == "mteb:all: Cosine Spearman 81.23\n"
    assert run(["evaluate", "하나", "--task", "korsts"]) == 1
    assert "task korsts needs --data" in capsys.readouterr().err
