import math

from benchmarks.pods_hlo import collectives, passes, products

PROGRAM = """
%fused (p.1: f32[8,64,64,16], p.2: f32[3,3,16,32]) -> f32[8,64,64,32] {
  %p.1 = f32[8,64,64,16]{3,2,1,0:T(8,128)} parameter(0)
  %p.2 = f32[3,3,16,32]{3,2,1,0:T(8,128)} parameter(1)
  ROOT %conv.1 = f32[8,64,64,32]{3,2,1,0} convolution(%p.1, %p.2), window={size=3x3 pad=1_1x1_1}, \
dim_labels=b01f_01io->b01f, operand_precision={highest,highest}
}

ENTRY %main {
  %a = bf16[8,32,32,16]{3,2,1,0} parameter(0)
  %k = bf16[3,3,16,32]{3,2,1,0} parameter(1)
  %conv.2 = bf16[8,64,64,32]{3,2,1,0} convolution(%a, %k), window={size=3x3 lhs_dilate=2x2}, \
dim_labels=b01f_01io->b01f
  %reduced = (f32[10,4]{1,0}, f32[6]{0}) all-reduce(%g, %h), replica_groups={{0,1}}, to_apply=%add
  %start = (f32[4,2]{1,0}, f32[16,2]{1,0}) all-gather-start(%g), dimensions={0}
  %done = f32[16,2]{1,0} all-gather-done(%start)
}
"""

PLAIN = 2 * math.prod((8, 64, 64, 32)) * 9 * 16


def test_arrays_that_are_reduced_together_are_added():
    found = [each.size for each in collectives(PROGRAM) if each.kind == "all-reduce"]
    assert found == [4 * (40 + 6)]


def test_started_gather_counts_its_result_once():
    found = [each.size for each in collectives(PROGRAM) if each.kind == "all-gather"]
    assert found == [4 * 16 * 2]


def test_reduction_sends_every_byte_twice():
    reduction, gather = collectives(PROGRAM)
    assert reduction.wire == 2 * reduction.size
    assert gather.wire == gather.size


def test_convolution_counts_its_multiplications_and_additions():
    assert next(products(PROGRAM)).flops == PLAIN


def test_zeros_of_a_dilated_input_do_not_count():
    _, dilated = products(PROGRAM)
    assert dilated.flops == PLAIN // 4


def test_passes_are_weighted_by_arithmetic():
    assert passes(PROGRAM, exact=6) == (6 * 4 + 1) / 5


def test_program_without_products_takes_one_pass():
    assert passes("%x = f32[] parameter(0)", exact=6) == 1
