"""Predicted against published serving measurements: error by source and chip, and every row left out with its reason.

Run ``python benchmarks/serving_accuracy.py`` (``--rows`` lists each scored row, ``--left-out`` each row left out).
Nothing is fitted here: the constants are those of ``models``. The errors of times per output token by chip are the
facts ``token_time_error`` of the catalogue; they are printed last.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import mean, median

import numpy as np

from models.decode import iteration_parts, tokens_per_iteration
from models.prefill import pass_time
from models.serving_device import Device, device_of
from models.serving_memory import room, sequence_memory, weight_memory
from models.serving_pass import Instance, overlapped_time
from models.serving_queue import LARGEST_UTILISATION, REQUEST_TIME, mean_wait
from models.transformer import Transformer
from sweep.catalogue import Catalogue

DATA = Path(__file__).resolve().parents[1] / "tests" / "data" / "inference.csv"

SYSTEMS = {
    "A100-80GB": "dgx-a100",
    "H100-SXM": "dgx-h100",
    "H200-SXM": "dgx-h200",
    "H800": "hgx-h800",
    "B200": "dgx-b200",
    "B300": "dgx-b300",
    "GB200": "gb200-nvl72",
    "GB300": "gb300-nvl72",
    "MI300X": "mi300x-node",
    "Ascend 910C (NPU = 2 dies)": "cloudmatrix384",
}
WORKLOADS = {"llama2-70b": "llama-2-70b", "llama3-70b": "llama-3-70b", "llama3-8b": "llama-3-8b"} | {
    "llama3.1-405b": "llama-3.1-405b"
}
PRECISIONS = {"FP8": "fp8", "fp8": "fp8", "NVFP4": "fp4", "fp4": "fp4", "MXFP4": "fp4", "BF16": "bf16", "INT8": "int8"}
NOMINAL_LENGTH = 0.9
"""InferenceMAX draws lengths at 80-100 % of the nominal ones."""
FIRST_WAVE = 0.5 / 10
"""Clients start together: the first of each client's requests (ten assumed) waits for half of the others' prefill."""
FEWEST = 20
"""Measurements of a chip from which its own error is taken."""
QUANTITIES = {
    "token_time": "time per output token",
    "first_token": "time to first token",
    "prefill_rate": "prefill tokens/s",
}
SUSPECT = {
    **{f"aic-silicon-{n:04d}": "most likely prefix-cache hits" for n in range(775, 794)},
    **{f"aic-silicon-{n:04d}": "Blackwell rows that contradict each other" for n in range(803, 851)},
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Instances of one kind: how many, devices of each, tensor-parallel width."""

    count: int
    devices: int
    tensor_parallel: int


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement that the model can predict; times in seconds, lengths in tokens."""

    identity: str
    source: str
    framework: str
    chip: str
    model: str
    precision: str
    decode: Layout | None
    prefill: Layout | None
    load: float
    prompt: float
    answer: float
    drafts: int
    first_token: float | None
    token_time: float | None
    prefill_rate: float | None


class LeftOutError(Exception):
    """Why a row cannot be scored."""


@cache
def catalogue() -> Catalogue:
    return Catalogue.load()


@cache
def device_for(chip: str, precision: str) -> Device:
    facts = catalogue().facts(SYSTEMS[chip], None, None)
    known = {name: fact.value for name, fact in facts.items() if isinstance(fact.value, int | float)}
    if chip.startswith("Ascend"):
        known["devices_per_chip"] = 2  # each die has its own memory and is a rank of its own
    device = device_of(known, precision)
    if np.isnan(device.peak):
        raise LeftOutError("the chip has no peak at this precision")
    return device


@cache
def shape_for(model: str) -> Transformer:
    name = WORKLOADS.get(model, model)
    if name not in catalogue().names("workloads"):
        raise LeftOutError("the shape of the model is not known")
    shape = catalogue().entry("workloads", name).shape
    if shape is None:
        raise LeftOutError("the shape of the model is not known")
    return shape


def number(row: Mapping[str, str], name: str) -> float | None:
    try:
        return float(row[name])
    except ValueError:
        return None


def precision_of(row: Mapping[str, str]) -> str:
    text = row["precision"] or ("BF16" if row["id"].startswith("aic-silicon") else "")
    if text not in PRECISIONS:
        raise LeftOutError("precision not stated, or weights and products in different formats")
    return PRECISIONS[text]


def aggregated_layout(row: Mapping[str, str], source: str) -> Layout:
    """Return devices and tensor-parallel width, with the multiplied chip counts of InferenceMAX taken back."""
    chips, tensor, experts, data = (int(number(row, name) or 1) for name in ("n_chips", "tp", "ep", "dp"))
    if source == "inferencemax":
        if chips >= 36 and chips != experts**2:
            raise LeftOutError("disaggregated run filed without its workers")
        if experts > 1 and chips == experts**2:
            return Layout(1, experts, experts if tensor > 1 else 1)
    if data > 1 and tensor == data:
        return Layout(1, tensor, 1)
    return Layout(1, max(tensor * data, 1), tensor)


WORKERS = re.compile(
    r"prefill (\d+) x \(tp(\d+) dp(\d+) ep(\d+), batch \d+\); decode (\d+) x \(tp(\d+) dp(\d+) ep(\d+)"
)


def layouts(row: Mapping[str, str], source: str) -> tuple[Layout, Layout | None]:
    """Return decode and prefill instances; no prefill instances when the same ones do both."""
    match = WORKERS.search(row["features"])
    if match is None:
        return aggregated_layout(row, source), None
    p_count, p_tp, p_dp, _, d_count, d_tp, d_dp, _ = (int(group) for group in match.groups())
    return Layout(d_count, d_tp * d_dp, d_tp), Layout(p_count, p_tp * p_dp, p_tp)


def end_to_end(row: Mapping[str, str], source: str) -> Run:
    first, token, load = (number(row, name) for name in ("ttft_ms", "tpot_ms", "batch_or_concurrency"))
    prompt, answer = number(row, "input_len"), number(row, "output_len")
    if load is None or not token or not prompt or not answer:
        raise LeftOutError("concurrency, lengths or time per output token not stated")
    if source not in ("inferencemax", "aic-silicon"):
        raise LeftOutError("client and server settings not read yet")
    if row["model"] == "deepseek-r1":
        raise LeftOutError("unmarked speculative decoding")
    decode, prefill = layouts(row, source)
    scale = NOMINAL_LENGTH if source == "inferencemax" else 1.0
    words = row["features"].split("; ")[-1].split(" ")
    return Run(
        row["id"], source, words[0], row["chip"], row["model"], precision_of(row), decode, prefill, load,
        prompt * scale, answer * scale, 0, (first or 0) / 1e3 or None, token / 1e3, None,
    )  # fmt: skip


def one_phase(row: Mapping[str, str], source: str) -> Run:
    """Return a decode row with its batch per chip, or a prefill row with its tokens per second per chip."""
    dies = 2 if row["chip"].startswith("Ascend") else 1
    devices = int((number(row, "n_chips") or 0) * dies)
    prompt = number(row, "input_len")
    if not devices or not prompt:
        raise LeftOutError("chips or lengths not stated")
    drafts = 1 if "MTP 1 token" in row["features"] else 0
    answer, batch = number(row, "output_len") or 0.0, number(row, "batch_or_concurrency")
    common = (row["id"], source, "", row["chip"], row["model"], precision_of(row))
    if row["phase"] == "prefill":
        if "PROJECTED" in row["features"] or "perfect" in row["features"]:
            raise LeftOutError("balanced routing is a projection")
        rate = number(row, "tokens_per_s_per_chip")
        return Run(*common, None, Layout(1, devices, 1), 16384 / prompt / dies, prompt, 0, 0, None, None, rate)
    token = number(row, "tpot_ms")
    if batch is None or not token:
        raise LeftOutError("batch or time per output token not stated")
    load = batch * devices / dies
    return Run(*common, Layout(1, devices, 1), None, load, prompt, answer, drafts, None, token / 1e3, None)


def interpret(row: Mapping[str, str]) -> Run:
    source = re.sub(r"-\d+$", "", row["id"])
    if row["chip"] not in SYSTEMS:
        raise LeftOutError("the chip is not mapped to a system of the catalogue yet")
    if row["id"] in SUSPECT:
        raise LeftOutError(SUSPECT[row["id"]])
    run = end_to_end(row, source) if row["phase"] == "e2e" else one_phase(row, source)
    device_for(run.chip, run.precision)
    shape_for(run.model)
    return run


def scalar(value: float) -> np.ndarray:
    return np.asarray(float(value))


def at(layout: Layout) -> Instance:
    return Instance(scalar(layout.devices), scalar(layout.tensor_parallel))


def predict_decode(run: Run, batch: float, context: float, element: float) -> float:
    """Return the time per output token without prefill at a batch per attention rank [s]."""
    assert run.decode is not None
    device, shape = device_for(run.chip, run.precision), shape_for(run.model)
    whole, half = (
        iteration_parts(device, shape, at(run.decode), scalar(size), scalar(context), scalar(element), run.drafts)
        for size in (batch, batch / 2)
    )
    return float((overlapped_time(whole, half, at(run.decode)) / tokens_per_iteration(run.drafts, scalar(0.7))).item())


def prefill_service(run: Run, layout: Layout, prompts: float = 1) -> float:
    device, shape = device_for(run.chip, run.precision), shape_for(run.model)
    return float(pass_time(device, shape, at(layout), scalar(prompts), scalar(run.prompt), scalar(0)).item())


def predict(run: Run) -> dict[str, float]:
    """Return what the model says to a run, by the name of the measurement."""
    if run.prefill_rate is not None and run.prefill is not None:
        per_chip = device_for(run.chip, run.precision).per_chip
        return {"prefill_rate": per_chip * run.load * run.prompt / prefill_service(run, run.prefill, run.load)}
    assert run.decode is not None
    element = 2.0 if run.precision == "bf16" or run.source not in ("inferencemax", "aic-silicon") else 1.0
    context = run.prompt + run.answer / 2
    ranks = run.decode.devices / run.decode.tensor_parallel * run.decode.count
    if run.first_token is None:
        return {"token_time": predict_decode(run, run.load / ranks, context, element)}
    device, shape = device_for(run.chip, run.precision), shape_for(run.model)
    free = room(device, weight_memory(device, shape, at(run.decode), 0)).item()
    cap = free / sequence_memory(shape, at(run.decode), scalar(context), scalar(element)).item()
    if cap < 1:
        raise LeftOutError("the model does not fit the stated layout: mapping or cache format unknown")
    return closed_loop(run, ranks, context, element, cap)


def closed_loop(run: Run, ranks: float, context: float, element: float, cap: float) -> dict[str, float]:
    """Return both times when ``run.load`` clients each wait for their answer before they ask again."""
    assert run.decode is not None
    service = prefill_service(run, run.prefill or run.decode)
    width = run.prefill or run.decode
    servers = width.count * width.devices / width.tensor_parallel
    in_flight = min(run.load, cap * ranks)
    for _ in range(30):
        token = predict_decode(run, max(in_flight / ranks, 1.0), context, element)
        if run.prefill is None:
            token += max(in_flight / ranks - 1, 0) * service / run.answer
        rate = min(in_flight / (token * run.answer), LARGEST_UTILISATION * servers / service if run.prefill else np.inf)
        load = min(rate * service / servers, LARGEST_UTILISATION)
        wait = mean_wait(scalar(load), scalar(service), scalar(1)).item()
        wait += FIRST_WAVE * max(run.load / servers - 1, 0) * service
        first = max(REQUEST_TIME + service + wait + token, run.load / rate - token * run.answer)
        wanted = min(
            run.load * token * run.answer / (first + token * run.answer), cap * ranks, rate * token * run.answer
        )
        in_flight = 0.5 * in_flight + 0.5 * wanted
    return {"token_time": token, "first_token": first}


def errors(runs: Iterable[Run]) -> tuple[list[tuple[Run, str, float]], list[tuple[str, str]]]:
    """Return (run, quantity, predicted / measured - 1) of every scored quantity, and (id, reason) of the rest."""
    scored: list[tuple[Run, str, float]] = []
    left: list[tuple[str, str]] = []
    for run in runs:
        try:
            predicted = predict(run)
        except LeftOutError as reason:
            left.append((run.identity, str(reason)))
            continue
        for name, value in predicted.items():
            measured = getattr(run, name)
            if measured:
                scored.append((run, name, value / measured - 1))
    return scored, left


def read() -> tuple[list[Run], list[tuple[str, str]]]:
    """Return the runs that can be scored, and (id, reason) of the rows that cannot; repeats are scored once."""
    runs: list[Run] = []
    left: list[tuple[str, str]] = []
    seen: set[tuple[str, ...]] = set()
    with DATA.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            key = tuple(row[name] for name in ("chip", "ttft_ms", "tpot_ms", "batch_or_concurrency", "input_len"))
            if row["ttft_ms"] and key in seen:
                left.append((row["id"], "repeats the measurement of another row"))
                continue
            try:
                runs.append(interpret(row))
                seen.add(key)
            except LeftOutError as reason:
                left.append((row["id"], str(reason)))
    return runs, left


def report(title: str, groups: Mapping[str, list[float]]) -> None:
    print(f"\n{title:44} rows   mean  median   bias")
    for name, values in sorted(groups.items()):
        sizes = [abs(value) for value in values]
        print(f"{name:44} {len(values):4} {mean(sizes):6.1%} {median(sizes):6.1%} {median(values):+6.1%}")


def by_kind(scored: Iterable[tuple[Run, str, float]], quantity: str) -> dict[str, dict[str, list[float]]]:
    """Return the errors of one quantity, grouped in four ways."""
    kinds: dict[str, dict[str, list[float]]] = {kind: defaultdict(list) for kind in ("all", "source", "chip", "model")}
    for run, name, error in scored:
        if name == quantity:
            source = f"{run.source} {run.framework} {'apart' if run.prefill else 'shared'}"
            for kind, key in (("all", "all"), ("source", source), ("chip", run.chip), ("model", run.model)):
                kinds[kind][key].append(error)
    return kinds


def error_facts(scored: Iterable[tuple[Run, str, float]]) -> dict[str, tuple[float, int]]:
    """Return the mean absolute error of times per output token by chip of the catalogue, and the rows behind it.

    Chips with few rows have no entry; ``other`` is that of all rows, which they take: few rows of one source are easily
    better met than they would be by others.
    """
    sizes: dict[str, list[float]] = defaultdict(list)
    for run, name, error in scored:
        if name == "token_time":
            sizes["other"].append(abs(error))
            sizes[catalogue().entry("systems", SYSTEMS[run.chip]).links["chip"]].append(abs(error))
    return {chip: (mean(values), len(values)) for chip, values in sizes.items() if len(values) >= FEWEST}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", action="store_true", help="list every scored row")
    parser.add_argument("--left-out", action="store_true", help="list every row left out")
    options = parser.parse_args()
    runs, left = read()
    with np.errstate(all="ignore"):
        scored, unfit = errors(runs)
    for quantity, label in QUANTITIES.items():
        for kind, groups in by_kind(scored, quantity).items():
            report(f"{label} by {kind}", groups)
    print("\ntoken_time_error of the catalogue")
    for chip, (error, rows) in sorted(error_facts(scored).items()):
        print(f"{chip:12} {error:.4f} of {rows} rows")
    reasons = Counter(reason for _, reason in left) + Counter(reason for _, reason in unfit)
    print(f"\n{sum(reasons.values())} rows left out")
    for reason, count in reasons.most_common():
        print(f"{count:5} {reason}")
    if options.rows:
        for run, name, error in sorted(scored, key=lambda item: item[2]):
            print(f"{run.identity:20} {run.model:18} {run.chip:9} {run.precision:5} {name:13} {error:+7.1%}")
    if options.left_out:
        for identity, reason in left + unfit:
            print(f"{identity:20} {reason}")


if __name__ == "__main__":
    main()
