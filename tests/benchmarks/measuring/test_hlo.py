import math

from benchmarks.measuring.hlo import Traffic, collectives, mean_passes, parse, products

PROGRAM = parse("""
%fused (p.1: f32[8,64,64,16], p.2: f32[3,3,16,32]) -> f32[8,64,64,32] {
  %p.1 = f32[8,64,64,16]{3,2,1,0:T(8,128)} parameter(0)
  %p.2 = f32[3,3,16,32]{3,2,1,0:T(8,128)} parameter(1)
  ROOT %conv.1 = f32[8,64,64,32]{3,2,1,0} convolution(%p.1, %p.2), window={size=3x3 pad=1_1x1_1}, \
dim_labels=b01f_01io->b01f, operand_precision={highest,highest}
}

ENTRY %main (a: bf16[8,32,32,16], k: bf16[3,3,16,32], g: f32[10,4], h: f32[6]) -> f32[16,2] {
  %a = bf16[8,32,32,16]{3,2,1,0} parameter(0)
  %k = bf16[3,3,16,32]{3,2,1,0} parameter(1)
  %g = f32[10,4]{1,0} parameter(2)
  %h = f32[6]{0} parameter(3)
  %part = f32[4,2]{1,0} slice(%g), slice={[0:4], [0:2]}
  %conv.2 = bf16[8,64,64,32]{3,2,1,0} convolution(%a, %k), window={size=3x3 lhs_dilate=2x2}, \
dim_labels=b01f_01io->b01f
  %reduced = (f32[10,4]{1,0}, f32[6]{0}) all-reduce(%g, %h), replica_groups={{0,1}}, to_apply=%add
  %start = (f32[4,2]{1,0}, f32[16,2]{1,0}) all-gather-start(%part), dimensions={0}
  %done = f32[16,2]{1,0} all-gather-done(%start)
  %scattered = f32[5,4]{1,0} reduce-scatter(%g), dimensions={0}, to_apply=%add
}
""")

PLAIN = 2 * math.prod((8, 64, 64, 32)) * 9 * 16

LIBRARIES = parse("""
%gemm (q.1: f32[96,4], q.2: f32[4,8]) -> f32[96,8] {
  %q.1 = f32[96,4]{1,0} parameter(0)
  %q.2 = f32[4,8]{1,0} parameter(1)
  ROOT %dot.1 = f32[96,8]{1,0} dot(%q.1, %q.2), lhs_contracting_dims={1}, rhs_contracting_dims={0}
}

ENTRY %main (x: f32[2,8,8,16], k: f32[32,3,3,16], y: f32[2,4,4,32]) -> f32[96,8] {
  %x = f32[2,8,8,16]{3,2,1,0} parameter(0)
  %k = f32[32,3,3,16]{3,2,1,0} parameter(1)
  %y = f32[2,4,4,32]{3,2,1,0} parameter(2)
  %forward = (f32[2,4,4,32]{3,2,1,0}, u8[0]{0}) custom-call(%x, %k), window={size=3x3 stride=2x2}, \
dim_labels=b01f_o01i->b01f, custom_call_target="__cudnn$convForward"
  %input = (f32[2,8,8,16]{3,2,1,0}, u8[0]{0}) custom-call(%y, %k), window={size=3x3 stride=2x2}, \
dim_labels=b01f_o01i->b01f, custom_call_target="__cudnn$convBackwardInput"
  %filter = (f32[32,3,3,16]{3,2,1,0}, u8[0]{0}) custom-call(%x, %y), window={size=3x3 stride=2x2}, \
dim_labels=b01f_o01i->b01f, custom_call_target="__cudnn$convBackwardFilter"
  %m = f32[96,4]{1,0} constant({...})
  %n = f32[4,8]{1,0} constant({...})
  %cublas = (f32[96,8]{1,0}, s8[64]{0}) custom-call(%m, %n), custom_call_target="__cublas$gemm", \
backend_config={"gemm_backend_config":{"dot_dimension_numbers":{"lhs_contracting_dimensions":["1"]}}}
  ROOT %triton = f32[96,8]{1,0} fusion(%m, %n), kind=kCustom, calls=%gemm
}
""")

KERNELS = parse("""
%cut (p: f32[100], q: f32[7]) -> f32[7] {
  %p = f32[100]{0} parameter(0)
  %q = f32[7]{0} parameter(1)
  %flat = f32[10,10]{1,0} bitcast(%p)
  %piece = f32[1,7]{1,0} slice(%flat), slice={[0:1], [0:7]}
  ROOT %sum = f32[7]{0} add(%piece, %q)
}

%body (state: f32[7]) -> f32[7] {
  %state = f32[7]{0} parameter(0)
  ROOT %twice = f32[7]{0} add(%state, %state)
}

%condition (other: f32[7]) -> pred[] {
  %other = f32[7]{0} parameter(0)
  ROOT %stop = pred[] constant(false)
}

ENTRY %main (a: f32[100], b: f32[7]) -> f32[7] {
  %a = f32[100]{0} parameter(0)
  %b = f32[7]{0} parameter(1)
  %cutting = f32[7]{0} fusion(%a, %b), kind=kLoop, calls=%cut
  ROOT %loop = f32[7]{0} while(%cutting), condition=%condition, body=%body
}
""")


def _flops(program):
    return [product.flops for product in products(program)]


def test_arrays_that_are_reduced_together_are_added():
    found = [each.size for each in collectives(PROGRAM) if each.kind == "all-reduce"]
    assert found == [4 * (40 + 6)]


def test_started_gather_counts_its_result_once():
    found = [each.size for each in collectives(PROGRAM) if each.kind == "all-gather"]
    assert found == [4 * 16 * 2]


def test_scattered_reduction_counts_the_whole_array():
    found = [each.size for each in collectives(PROGRAM) if each.kind == "reduce-scatter"]
    assert found == [4 * 10 * 4]


def test_reduction_sends_every_byte_twice():
    reduction, gather, _ = collectives(PROGRAM)
    assert reduction.wire == 2 * reduction.size
    assert gather.wire == gather.size


def test_convolution_counts_its_multiplications_and_additions():
    assert _flops(PROGRAM)[0] == PLAIN


def test_zeros_of_a_dilated_input_do_not_count():
    assert _flops(PROGRAM)[1] == PLAIN // 4


def test_convolution_of_cudnn_and_its_gradients_cost_the_same():
    assert _flops(LIBRARIES)[1:4] == [2 * math.prod((2, 4, 4, 32)) * 9 * 16] * 3


def test_matrix_product_inside_a_fusion_counts():
    assert _flops(LIBRARIES)[0] == 2 * 96 * 8 * 4


def test_matrix_product_of_cublas_counts():
    assert _flops(LIBRARIES)[4] == 2 * 96 * 8 * 4


def test_precision_of_sixteen_bits_is_half():
    assert [product.precision for product in products(PROGRAM)] == ["highest", "half"]


def test_precision_of_float32_is_the_default_where_none_is_asked_for():
    assert {product.precision for product in products(LIBRARIES)} == {"default"}


def test_passes_are_weighted_by_arithmetic():
    assert mean_passes(products(PROGRAM), {"half": 1, "highest": 6}) == (6 * 4 + 1) / 5


def test_program_without_products_takes_one_pass():
    assert mean_passes([], {}) == 1


def test_fusion_reads_only_the_pieces_that_it_cuts_out():
    piece, other, result = 4 * 7, 4 * 7, 4 * 7
    loop = 4 * 7 * 3  # Reads its state as both operands of the sum, writes it.
    assert Traffic(KERNELS).total() == piece + other + result + loop
