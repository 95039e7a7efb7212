"""Times what PyTorch (cuDNN on a GPU) has in the place of a ring convolution, and sets it beside gmr_profile's times.

    python3 bench/peer/torch_peer.py --profile layers.json --json peers.json

For each layer of `gmr_profile --suite layers` in two dimensions: the dense k x k and 3 x 3 convolutions, and the
depthwise k x k with a 1 x 1 behind it; in float32 ('highest'), TF32 (on a GPU) and bf16; contiguous and channels-last;
with cuDNN's benchmark mode. `train` is forward and both gradients. A peer that does not run is reported with its reason.
"""

import argparse
import importlib
import json
import signal
import statistics
import sys
import time
from dataclasses import dataclass

import torch

# A sample is long against the launch of a kernel.
SAMPLE_SECONDS = 4e-3
SAMPLES = 9
MOST_CALLS = 200


@dataclass(frozen=True)
class Layer:
    batch: int
    inputs: int
    outputs: int
    side: int
    kernel: int

    @property
    def name(self) -> str:
        """As gmr_profile calls it."""
        return f"{self.batch}x{self.inputs}>{self.outputs} {self.side}^2 k={self.kernel}"


def layers(batch: int) -> list[Layer]:
    """The planes of bench/native/profile/suites.cc, `layers`."""
    return [
        Layer(batch, 64, 64, 56, 9),
        Layer(batch, 64, 64, 32, 9),
        Layer(batch, 128, 128, 28, 9),
        Layer(batch, 256, 256, 14, 5),
        Layer(batch, 512, 512, 7, 5),
        Layer(max(1, batch // 4), 64, 64, 56, 31),
    ]


def dense(inputs: int, outputs: int, kernel: int, groups: int = 1) -> torch.nn.Conv2d:
    return torch.nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)


PEERS = {
    "dense 3x3": lambda layer: dense(layer.inputs, layer.outputs, 3),
    "dense kxk": lambda layer: dense(layer.inputs, layer.outputs, layer.kernel),
    "depthwise kxk + 1x1": lambda layer: torch.nn.Sequential(
        dense(layer.inputs, layer.inputs, layer.kernel, groups=layer.inputs),
        dense(layer.inputs, layer.outputs, 1),
    ),
}

FORMATS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}

# Name: type of the tensors, whether float32 products may be TF32.
PRECISIONS = {
    "float32": (torch.float32, False),
    "tf32": (torch.float32, True),
    "bf16": (torch.bfloat16, False),
}


class Clock:
    """Milliseconds of a function on the device."""

    def __init__(self, device: torch.device) -> None:
        self.on_gpu = device.type == "cuda"

    def once(self, work, calls: int) -> float:
        if not self.on_gpu:
            start = time.perf_counter()
            for _ in range(calls):
                work()
            return (time.perf_counter() - start) * 1e3 / calls
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        for _ in range(calls):
            work()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / calls

    def median(self, work) -> float:
        self.once(work, 2)  # cuDNN tries its algorithms
        guess = self.once(work, 1)
        calls = min(MOST_CALLS, max(1, round(SAMPLE_SECONDS * 1e3 / guess)))
        return statistics.median(self.once(work, calls) for _ in range(SAMPLES))


def time_peer(
    layer: Layer, make, precision: str, memory: str, device: torch.device, compiled: bool
) -> dict[str, float]:
    dtype, tf32 = PRECISIONS[precision]
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cuda.matmul.allow_tf32 = tf32
    module = make(layer).to(device=device, dtype=dtype, memory_format=FORMATS[memory])
    x = torch.randn(layer.batch, layer.inputs, layer.side, layer.side, device=device, dtype=dtype)
    x = x.to(memory_format=FORMATS[memory]).requires_grad_()
    call = torch.compile(module) if compiled else module
    clock = Clock(device)
    dy = torch.randn_like(call(x))
    wanted = [x, *module.parameters()]

    def forward() -> None:
        with torch.no_grad():
            call(x)

    def train() -> None:
        torch.autograd.grad(call(x), wanted, dy)

    return {"forwardMs": clock.median(forward), "trainMs": clock.median(train)}


# The most telling first: time may run out.
COMBINATIONS = [
    ("float32", "contiguous"),
    ("bf16", "channels-last"),
    ("bf16", "contiguous"),
    ("tf32", "channels-last"),
    ("float32", "channels-last"),
    ("tf32", "contiguous"),
]


def cases(chosen: list[Layer], on_gpu: bool):
    """Layer, peer, precision, memory format, whether compiled. A processor has no TF32."""
    for precision, memory in COMBINATIONS:
        if precision == "tf32" and not on_gpu:
            continue
        for layer in chosen:
            for peer in PEERS:
                yield layer, peer, precision, memory, False
        # Compiling takes many seconds; the pair is where fusion could gain.
        if on_gpu and memory == ("contiguous" if precision == "float32" else "channels-last"):
            yield chosen[0], "depthwise kxk + 1x1", precision, memory, True


class Stopped(BaseException):
    """The process was asked to end."""


def stop(*_) -> None:
    raise Stopped


# The type of ring_conv that a peer is set beside.
OURS = {"float32": "float32", "tf32": "high", "bf16": "bf16"}


def ours(path: str | None) -> dict[tuple[str, str], dict[str, float]]:
    """Forward and train times of ring_conv by layer and type, from gmr_profile's report."""
    if path is None:
        return {}
    with open(path, encoding="utf-8") as file:
        results = json.load(file)["results"]
    times: dict[tuple[str, str], dict[str, float]] = {}
    for result in results:
        if result["op"] == "ring_conv":
            layer = times.setdefault((result["case"], result["dtype"]), {})
            layer[result["pass"]] = result["ms"]["median"]
    passes = {"forward", "backward_input", "backward_weight"}
    return {
        layer: {"forwardMs": by_pass["forward"], "trainMs": sum(by_pass.values())}
        for layer, by_pass in times.items()
        if by_pass.keys() == passes
    }


def row(result: dict, gmr: dict[tuple[str, str], dict[str, float]]) -> list[str]:
    title = result["peer"] + (", compiled" if result["compiled"] else "")
    cells = [result["layer"], title, result["precision"], result["memory"]]
    if "failure" in result:
        return [*cells, result["failure"]]
    for key in ("forwardMs", "trainMs"):
        cells.append(f"{result[key]:.4g}")
        mine = gmr.get((result["layer"], OURS[result["precision"]]))
        cells.append("" if mine is None else f"{mine[key] / result[key]:.3g}")
    return cells


def print_table(results: list[dict], gmr: dict[tuple[str, str], dict[str, float]]) -> None:
    heading = ["layer", "peer", "precision", "memory", "forward ms", "ours /", "train ms", "ours /"]
    rows = [heading, *(row(result, gmr) for result in results)]
    widths = [max(len(cells[i]) for cells in rows if len(cells) == len(heading)) for i in range(len(heading))]
    for cells in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip())


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda or cpu (default cuda)")
    parser.add_argument("--batch", type=int, default=32, help="as for gmr_profile (default 32)")
    parser.add_argument("--profile", help="gmr_profile's report of the suite layers, of the same batch")
    parser.add_argument("--json", help="also write everything to a file")
    parser.add_argument("--limit", type=float, default=100, help="seconds after which no more peers are timed")
    parser.add_argument(
        "--reference",
        metavar="MODULE:CLASS",
        help="also time this layer, made as torch.nn.Conv2d is, with kernel_size, padding and bias",
    )
    parser.add_argument("--layers", type=int, default=6, help="only the first so many layers (default 6, all)")
    arguments = parser.parse_args()
    for name in ("batch", "layers"):
        if getattr(arguments, name) < 1:
            parser.error(f"expected --{name} to be at least 1, received {getattr(arguments, name)}")
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("expected a GPU that PyTorch can use, there is none; --device cpu times the processor")
    if arguments.reference is not None:
        try:
            module, name = arguments.reference.split(":")
            layer_class = getattr(importlib.import_module(module), name)
        except (ValueError, ImportError, AttributeError) as error:
            parser.error(f"expected --reference to be a class as module:Class, received '{arguments.reference}': {error}")
        PEERS["reference"] = lambda layer: layer_class(
            layer.inputs, layer.outputs, kernel_size=layer.kernel, padding=layer.kernel // 2, bias=False
        )
    return arguments


def main() -> int:
    arguments = parse()
    device = torch.device(arguments.device)
    torch.manual_seed(1)
    torch.backends.cudnn.benchmark = True
    gmr = ours(arguments.profile)
    wanted = list(cases(layers(arguments.batch)[: arguments.layers], device.type == "cuda"))
    results: list[dict] = []
    end = time.monotonic() + arguments.limit
    signal.signal(signal.SIGTERM, stop)
    try:
        for layer, peer, precision, memory, compiled in wanted:
            if time.monotonic() > end:
                break
            result = {"layer": layer.name, "peer": peer, "precision": precision, "memory": memory, "compiled": compiled}
            try:
                result |= time_peer(layer, PEERS[peer], precision, memory, device, compiled)
            except Exception as error:  # a peer that does not run is a finding, whatever it throws
                result["failure"] = f"{type(error).__name__}: {error}".splitlines()[0]
            results.append(result)
    except Stopped:
        pass  # what was timed is still reported
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    print(f"PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}, {name}")
    print("ours /: ring_conv's time over the peer's, at precision high beside TF32; empty where there is no report of it\n")
    print_table(results, gmr)
    if len(results) < len(wanted):
        print(f"\n{len(wanted) - len(results)} of {len(wanted)} peers were not timed: the time was over")
    if arguments.json is not None:
        with open(arguments.json, "w", encoding="utf-8") as file:
            mine = [{"layer": layer, "dtype": dtype, **times} for (layer, dtype), times in gmr.items()]
            json.dump({"torch": torch.__version__, "device": name, "ours": mine, "results": results}, file, indent=1)
    failures = sum("failure" in result and not result["compiled"] for result in results)
    return 1 if failures > 0 or not results else 0


if __name__ == "__main__":
    sys.exit(main())
