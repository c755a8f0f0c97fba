"""Compares what each CUDA kernel takes of a multiprocessor with cuda/kernel_budget.json.

    kernel_budget.py [--write] [BUILD]     BUILD is build/dev unless named

A kernel may not spill registers, and may not take more registers, static shared memory or stack
than its budget says, where the budget is for the same nvcc and architecture. --write makes what was
built the budget; registers are rounded up to 8, as the hardware hands them out.

A kernel that exists for one instruction must contain it (INSTRUCTIONS): its source is compiled to
PTX once more and looked through.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUDGET = ROOT / "cuda" / "kernel_budget.json"
REWRITE = "if that is meant: python scripts/kernel_budget.py --write"
LIMITS = {"registers": "registers", "shared": "bytes of static shared memory", "stack": "of stack"}

# Source, kernel, and what the kernel exists for.
INSTRUCTIONS = [("kmeans_lloyd_tensor.cu", "lloyd_tensor_kernel", "mma.sync")]

Budget = dict[str, dict[str, dict[str, int]]]  # architecture, kernel, limit


@dataclass
class Usage:
    """What ptxas says of a kernel."""

    kernel: str
    architecture: str
    registers: int = 0
    shared: int = 0
    stack: int = 0
    spilled: int = 0


def read_usage(text: str) -> list[Usage]:
    """From the output of ptxas -v; the kernels' names are still mangled."""
    found: list[Usage] = []
    own = False  # whether the properties are the kernel's, not those of a function that it calls
    for line in text.splitlines():
        if entry := re.search(r"Compiling entry function '(\w+)' for '(\w+)'", line):
            found.append(Usage(entry[1], entry[2]))
        elif not found:
            continue
        elif function := re.search(r"Function properties for (\w+)", line):
            own = function[1] == found[-1].kernel
        elif frame := re.search(
            r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line
        ):
            found[-1].stack = int(frame[1]) if own else found[-1].stack
            found[-1].spilled += int(frame[2]) + int(frame[3])
        elif used := re.search(r"Used (\d+) registers", line):
            found[-1].registers = int(used[1])
            shared = re.search(r"(\d+) bytes smem", line)
            found[-1].shared = int(shared[1]) if shared else 0
    return found


def demangled(names: list[str]) -> list[str]:
    """Without return type, namespaces and parameters: lloyd_kernel<float, 4>."""
    done = subprocess.run(
        ["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True
    )
    return [short_name(line) for line in done.stdout.splitlines()]


def short_name(name: str) -> str:
    name = re.sub(r"\(anonymous namespace\)::|coterie::|cuda::|^void ", "", name)
    return re.sub(r"\(int\)|\(bool\)|(?<=\w|>)\(.*\)$", "", name)


def violations(usages: list[Usage], budget: Budget) -> list[str]:
    """What is wrong, a line each. Architectures without a budget may not spill either."""
    found = []
    for usage in usages:
        where = f"{usage.kernel} for {usage.architecture}"
        if usage.spilled:
            found.append(f"{where} spills {usage.spilled} bytes of registers; the limit is 0")
        if usage.architecture not in budget:
            continue
        limits = budget[usage.architecture].get(usage.kernel)
        if limits is None:
            found.append(f"{where} has no budget; {REWRITE}")
            continue
        for name, unit in LIMITS.items():
            value = getattr(usage, name)
            if value > limits[name]:
                found.append(
                    f"{where} takes {value} {unit}; the limit is {limits[name]}; {REWRITE}"
                )
    built = {(usage.architecture, usage.kernel) for usage in usages}
    for architecture in {architecture for architecture, _ in built} & set(budget):
        for kernel in budget[architecture]:
            if (architecture, kernel) not in built:
                found.append(f"{kernel} for {architecture} has a budget but is gone; {REWRITE}")
    return found


def budget_for(usages: list[Usage]) -> Budget:
    budget: Budget = {}
    for usage in sorted(usages, key=lambda one: (one.architecture, one.kernel)):
        budget.setdefault(usage.architecture, {})[usage.kernel] = {
            "registers": -(-usage.registers // 8) * 8,
            "shared": usage.shared,
            "stack": usage.stack,
        }
    return budget


def usages_of(build: Path) -> list[Usage]:
    reports = (build / "cuda").rglob("*.resources")
    sources = {path.name for path in (ROOT / "cuda").iterdir()}  # a source that is gone leaves one
    current = sorted(path for path in reports if path.name.removesuffix(".o.resources") in sources)
    usages = read_usage("\n".join(path.read_text() for path in current))
    names = demangled([usage.kernel for usage in usages])
    for usage, name in zip(usages, names, strict=True):
        usage.kernel = name
    return [usage for usage in usages if not usage.kernel.startswith("cub::")]  # NVIDIA's own


def nvcc_setting(build: Path, name: str) -> str:
    compiler = next((build / "CMakeFiles").glob("*/CMakeCUDACompiler.cmake")).read_text()
    return re.search(rf'set\({name} "([^"]+)"', compiler)[1]


def nvcc_release(build: Path) -> str:
    return ".".join(nvcc_setting(build, "CMAKE_CUDA_COMPILER_VERSION").split(".")[:2])


def ptx_of(source: str, build: Path) -> str:
    with tempfile.TemporaryDirectory() as folder:
        ptx = Path(folder) / "source.ptx"
        command = [nvcc_setting(build, "CMAKE_CUDA_COMPILER"), "-std=c++20", "-arch=compute_90"]
        command += ["-ptx", f"-I{ROOT}", f"-I{ROOT}/include", "-o", str(ptx)]
        subprocess.run([*command, str(ROOT / "cuda" / source)], check=True)
        return ptx.read_text()


def lacking(ptx: str, kernel: str, instruction: str) -> list[str]:
    """A line if a kernel of that name lacks the instruction in the PTX, or there is none."""
    _, *parts = re.split(r"\.entry\s+(\w+)", ptx)
    bodies = [body for name, body in zip(parts[::2], parts[1::2], strict=True) if kernel in name]
    if not bodies:
        return [f"{kernel} is gone: scripts/kernel_budget.py expects it to contain {instruction}"]
    without = sum(instruction not in body for body in bodies)
    if not without:
        return []
    return [f"{kernel}: {without} of {len(bodies)} in PTX lack {instruction}, which it exists for"]


def write(usages: list[Usage], nvcc: str) -> None:
    lines = []
    for architecture, kernels in budget_for(usages).items():
        rows = [f"    {json.dumps(name)}: {json.dumps(row)}" for name, row in kernels.items()]
        lines.append(f"  {json.dumps(architecture)}: {{\n" + ",\n".join(rows) + "\n  }")
    head = f'  "nvcc": {json.dumps(nvcc)}'
    BUDGET.write_text("{\n" + ",\n".join([head, *lines]) + "\n}\n")


def check(build: Path) -> int:
    """Prints what is wrong; the number of kernels within their budget, negative if one is not."""
    usages = usages_of(build)
    budget = json.loads(BUDGET.read_text())
    nvcc = budget.pop("nvcc")
    if nvcc != nvcc_release(build):
        print(f"the budget is for nvcc {nvcc}, this is {nvcc_release(build)}: only spills count")
        budget = {}
    wrong = violations(usages, budget)
    for source, kernel, instruction in INSTRUCTIONS:
        wrong += lacking(ptx_of(source, build), kernel, instruction)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return -len(wrong) if wrong else len(usages)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", nargs="?", type=Path, default=ROOT / "build" / "dev")
    parser.add_argument("--write", action="store_true", help="make what was built the budget")
    arguments = parser.parse_args()
    usages = usages_of(arguments.build)
    if not usages:
        print(f"no kernel's resources in {arguments.build}/cuda: build it with CUDA first")
        return 1
    if arguments.write:
        write(usages, nvcc_release(arguments.build))
        return 0
    return 0 if check(arguments.build) > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
