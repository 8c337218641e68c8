"""The engines that ``bench/decoding.py`` compares: each turns the token ids of a prompt into those of its question.

An engine is a function that loads and returns another one: token ids in, generated token ids out (greedy, without the
end token). What an engine needs beside the model folder (a GGUF file, a converted folder) is made once in the work
folder. Packages: ``llama-cpp-python``, ``ctranslate2``, ``openvino-genai``, ``onnxruntime-genai`` with ``onnx_ir``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Answer = Callable[[Sequence[int]], list[int]]
"""Greedy decoding of one prompt."""


class Setup:
    """What an engine is made from.

    Args:
        model: A model folder.
        work: Where converted models are kept between runs.
        threads: Threads of the engine.
        max_new_tokens: Limit for the tokens of a question.
    """

    def __init__(self, model: Path, work: Path, threads: int, max_new_tokens: int) -> None:
        from rac.models import load_tokenizer

        self.model, self.work, self.threads, self.max_new_tokens = model, work, threads, max_new_tokens
        self.tokenizer = load_tokenizer(model)
        self.end = int(self.tokenizer.eos_token_id)

    def gguf(self, dtype: Any) -> Path:
        """Return the model as a GGUF file, written on first use."""
        from rac.models_export import export_gguf

        path = self.work / f"model-{dtype}.gguf"
        if not path.exists():
            export_gguf(self.model, path, dtype=dtype)
        return path

    def without_end(self, tokens: Sequence[int]) -> list[int]:
        """Cut at the end token and at the limit."""
        tokens = list(tokens)[: self.max_new_tokens]
        return tokens[: tokens.index(self.end)] if self.end in tokens else tokens


def _generator(setup: Setup, change: Callable[[Any], Any] | None = None) -> Any:
    import torch

    from rac.generation.local import LocalGenerator
    from rac.models import load_model

    torch.set_num_threads(setup.threads)
    model, tokenizer = load_model(setup.model, merged=True)
    return LocalGenerator(change(model) if change else model, tokenizer, max_new_tokens=setup.max_new_tokens)


def generate(setup: Setup) -> Answer:
    """``transformers.generate`` as it comes, float32."""
    import torch

    generator = _generator(setup)

    def answer(ids: Sequence[int]) -> list[int]:
        tensor = torch.tensor([list(ids)])
        with torch.inference_mode():
            rows = generator.model.generate(
                input_ids=tensor, attention_mask=torch.ones_like(tensor), max_new_tokens=setup.max_new_tokens,
                do_sample=False, eos_token_id=setup.end, pad_token_id=setup.end,
            )  # fmt: skip
        return setup.without_end(rows[0, len(ids) :].tolist())

    return answer


def _tree(setup: Setup, change: Callable[[Any], Any] | None = None) -> Answer:
    generator = _generator(setup, change)
    return lambda ids: setup.without_end(generator.greedy([ids], label="")[0].token_ids)


def rac(setup: Setup) -> Answer:
    """rac's own decoder (``rac.generation.local``), float32."""
    return _tree(setup)


def rac_compiled(setup: Setup) -> Answer:
    """rac's own decoder over a forward pass that ``torch.compile`` made."""
    import torch

    def change(model: Any) -> Any:
        model.forward = torch.compile(model.forward, dynamic=True)
        return model

    return _tree(setup, change)


def rac_int8(setup: Setup) -> Answer:
    """rac's own decoder, linear layers with int8 weights and dynamically quantised inputs."""
    import torch

    return _tree(setup, lambda m: torch.ao.quantization.quantize_dynamic(m, {torch.nn.Linear}, dtype=torch.qint8))


def rac_bfloat16(setup: Setup) -> Answer:
    """rac's own decoder in bfloat16."""
    import torch

    return _tree(setup, lambda m: m.to(torch.bfloat16))


def _llama_cpp(setup: Setup, dtype: str) -> Answer:
    import llama_cpp

    llama = llama_cpp.Llama(
        str(setup.gguf(dtype)), n_ctx=2048, n_threads=setup.threads, n_threads_batch=setup.threads, verbose=False
    )

    def answer(ids: Sequence[int]) -> list[int]:
        found: list[int] = []
        llama.reset()
        for token in llama.generate(list(ids), temp=0.0, top_k=1, repeat_penalty=1.0):
            if token == setup.end or len(found) == setup.max_new_tokens:
                break
            found.append(token)
        return found

    return answer


def _rac_llama(setup: Setup, dtype: str) -> Answer:
    """rac's own loop over llama.cpp (``rac.generation.llama_cpp``): no flash attention, cache in float32."""
    import transformers

    from rac.generation.llama_cpp import LlamaCppGenerator

    config = transformers.AutoConfig.from_pretrained(setup.model)
    generator = LlamaCppGenerator(
        setup.gguf(dtype), setup.tokenizer, config, max_new_tokens=setup.max_new_tokens, threads=setup.threads
    )
    return lambda ids: setup.without_end(generator.greedy([ids], label="")[0].token_ids)


def _ctranslate2(setup: Setup, compute_type: str) -> Answer:
    import ctranslate2

    folder = setup.work / "ctranslate2"
    if not (folder / "model.bin").exists():
        ctranslate2.converters.TransformersConverter(str(setup.model)).convert(str(folder), force=True)
    generator = ctranslate2.Generator(str(folder), compute_type=compute_type, intra_threads=setup.threads)

    def answer(ids: Sequence[int]) -> list[int]:
        result = generator.generate_batch(
            [setup.tokenizer.convert_ids_to_tokens(list(ids))], max_length=setup.max_new_tokens, sampling_topk=1,
            include_prompt_in_result=False, end_token=setup.tokenizer.eos_token,
        )  # fmt: skip
        return setup.without_end(result[0].sequences_ids[0])

    return answer


def _openvino(setup: Setup, dtype: str, **options: Any) -> Answer:
    import numpy as np
    import openvino
    import openvino_genai

    pipeline = openvino_genai.LLMPipeline(str(setup.gguf(dtype)), "CPU", INFERENCE_NUM_THREADS=setup.threads, **options)

    def answer(ids: Sequence[int]) -> list[int]:
        array = np.array([list(ids)], dtype=np.int64)
        inputs = openvino_genai.TokenizedInputs(openvino.Tensor(array), openvino.Tensor(np.ones_like(array)))
        result = pipeline.generate(inputs, max_new_tokens=setup.max_new_tokens, do_sample=False)
        return setup.without_end(result.tokens[0])

    return answer


def _openvino_float32(setup: Setup) -> Answer:
    """Everything in float32 but the weights, which it reads from GGUF as float16 at most."""
    return _openvino(
        setup, "f16", INFERENCE_PRECISION_HINT="f32", KV_CACHE_PRECISION="f32", DYNAMIC_QUANTIZATION_GROUP_SIZE=0
    )


def _onnxruntime(setup: Setup, precision: str) -> Answer:
    import onnxruntime_genai

    folder = setup.work / f"onnxruntime-{precision}"
    if not (folder / "genai_config.json").exists():
        command = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", str(setup.model), "-o", str(folder)]
        subprocess.run([*command, "-p", precision, "-e", "cpu", "-c", str(setup.work / "cache")], check=True)
    config = onnxruntime_genai.Config(str(folder))
    config.overlay(f'{{"model": {{"decoder": {{"session_options": {{"intra_op_num_threads": {setup.threads}}}}}}}}}')
    model = onnxruntime_genai.Model(config)

    def answer(ids: Sequence[int]) -> list[int]:
        settings = onnxruntime_genai.GeneratorParams(model)
        settings.set_search_options(max_length=len(ids) + setup.max_new_tokens, do_sample=False)
        generator = onnxruntime_genai.Generator(model, settings)
        generator.append_tokens(list(ids))
        found: list[int] = []
        while not generator.is_done() and len(found) < setup.max_new_tokens:
            generator.generate_next_token()
            token = int(generator.get_next_tokens()[0])
            if token == setup.end:
                break
            found.append(token)
        return found

    return answer


ENGINES: dict[str, Callable[[Setup], Answer]] = {
    "generate": generate,
    "rac": rac,
    "rac-compiled": rac_compiled,
    "rac-int8": rac_int8,
    "rac-bfloat16": rac_bfloat16,
    "rac-llama-f32": lambda s: _rac_llama(s, "f32"),
    "rac-llama-f16": lambda s: _rac_llama(s, "f16"),
    "rac-llama-q8_0": lambda s: _rac_llama(s, "q8_0"),
    "llama-f32": lambda s: _llama_cpp(s, "f32"),
    "llama-f16": lambda s: _llama_cpp(s, "f16"),
    "llama-q8_0": lambda s: _llama_cpp(s, "q8_0"),
    "ctranslate2": lambda s: _ctranslate2(s, "float32"),
    "ctranslate2-int8": lambda s: _ctranslate2(s, "int8_float32"),
    "openvino": _openvino_float32,
    "openvino-default": lambda s: _openvino(s, "f16"),
    "openvino-q8_0": lambda s: _openvino(s, "q8_0"),
    "onnxruntime": lambda s: _onnxruntime(s, "fp32"),
}
"""By name; the first is the reference that texts are compared with."""
