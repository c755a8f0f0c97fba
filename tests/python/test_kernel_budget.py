from scripts import kernel_budget
from scripts.kernel_budget import Usage

PTXAS = """\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_Z5fusedIfLi4EEvPT_' for 'sm_90'
ptxas info    : Function properties for _Z5fusedIfLi4EEvPT_
    16 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 93 registers, used 1 barriers, 16 bytes cumulative stack size, 1024 bytes smem
ptxas info    : Compile time = 24.646 ms
ptxas info    : Function properties for _Z6helperv
    999 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads
ptxas info    : Compiling entry function '_Z5probev' for 'sm_75'
ptxas info    : Function properties for _Z5probev
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 4 registers, used 0 barriers
"""


def budget(registers: int, shared: int = 0) -> kernel_budget.Budget:
    return {"sm_90": {"fused<float, 4>": {"registers": registers, "shared": shared, "stack": 0}}}


def test_what_ptxas_says_is_understood() -> None:
    fused, probe = kernel_budget.read_usage(PTXAS)
    assert fused == Usage("_Z5fusedIfLi4EEvPT_", "sm_90", 93, 1024, stack=16, spilled=12)
    assert probe == Usage("_Z5probev", "sm_75", 4)


def test_names_lose_namespaces_and_parameters() -> None:
    for name, short in {
        "void coterie::cuda::fused<float, (int)4>(coterie::cuda::Batch<float>)": "fused<float, 4>",
        "coterie::cuda::(anonymous namespace)::probe_kernel()": "probe_kernel",
        "void coterie::cuda::(anonymous namespace)::sum<float>(float const*, int)": "sum<float>",
    }.items():
        assert kernel_budget.short_name(name) == short


def test_a_kernel_that_takes_too_much_is_named_with_limit_and_value() -> None:
    usage = Usage("fused<float, 4>", "sm_90", registers=104, shared=2048)
    registers, shared = kernel_budget.violations([usage], budget(96, 1024))
    assert "fused<float, 4> for sm_90 takes 104 registers; the limit is 96" in registers
    assert "takes 2048 bytes of static shared memory; the limit is 1024" in shared
    assert "kernel_budget.py --write" in registers
    assert kernel_budget.violations([usage], budget(104, 2048)) == []


def test_no_kernel_may_spill_and_each_has_a_budget() -> None:
    spilling = Usage("fused<float, 4>", "sm_80", spilled=12)
    assert kernel_budget.violations([spilling], budget(96)) == [
        "fused<float, 4> for sm_80 spills 12 bytes of registers; the limit is 0"
    ]
    new, gone = kernel_budget.violations([Usage("new", "sm_90")], budget(96))
    assert "new for sm_90 has no budget" in new
    assert "fused<float, 4> for sm_90 has a budget but is gone" in gone


def test_the_budget_that_is_written_is_kept() -> None:
    usages = [Usage("fused<float, 4>", "sm_90", registers=93, shared=10, stack=16)]
    written = kernel_budget.budget_for(usages)
    assert written["sm_90"]["fused<float, 4>"]["registers"] == 96
    assert kernel_budget.violations(usages, written) == []


def test_a_kernel_that_lost_its_instruction_is_named() -> None:
    ptx = """
.visible .entry _Z7product1(.param .u64 a) { mma.sync.aligned.m16n8k8 {%f1}; }
.visible .entry _Z7product3(.param .u64 a) { fma.rn.f32 %f1; }
.visible .entry _Z4plain(.param .u64 a) { ret; }
"""
    assert kernel_budget.lacking(ptx, "product1", "mma.sync") == []
    (one,) = kernel_budget.lacking(ptx, "product", "mma.sync")
    assert one == "product: 1 of 2 in PTX lack mma.sync, which it exists for"
    (gone,) = kernel_budget.lacking(ptx, "other", "mma.sync")
    assert "other is gone" in gone
