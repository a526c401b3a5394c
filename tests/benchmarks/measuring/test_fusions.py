from benchmarks.measuring.fusions import read_fusions

SIZE = 4 * 100

PROGRAM = """
%chain (p: f32[100], q: f32[100]) -> f32[100] {
  %p = f32[100]{0} parameter(0)
  %q = f32[100]{0} parameter(1)
  %sum = f32[100]{0} add(%p, %q)
  ROOT %product = f32[100]{0} multiply(%sum, %p)
}

%wrapped (r: f32[100]) -> f32[100] {
  %r = f32[100]{0} parameter(0)
  ROOT %copied = f32[100]{0} copy(%r)
}

%write (whole: f32[5,100], row: f32[100], i: s32[]) -> f32[5,100] {
  %whole = f32[5,100]{1,0} parameter(0)
  %row = f32[100]{0} parameter(1)
  %i = s32[] parameter(2)
  %zero = s32[] constant(0)
  %flat = f32[1,100]{1,0} bitcast(%row)
  ROOT %update = f32[5,100]{1,0} dynamic-update-slice(%whole, %flat, %i, %zero)
}

%body (state: (s32[], f32[5,100], f32[100])) -> (s32[], f32[5,100], f32[100]) {
  %state = (s32[], f32[5,100]{1,0}, f32[100]{0}) parameter(0)
  %turn = s32[] get-tuple-element(%state), index=0
  %rows = f32[5,100]{1,0} get-tuple-element(%state), index=1
  %one = f32[100]{0} get-tuple-element(%state), index=2
  %written = f32[5,100]{1,0} fusion(%rows, %one, %turn), kind=kLoop, calls=%write
  ROOT %next = (s32[], f32[5,100]{1,0}, f32[100]{0}) tuple(%turn, %written, %one)
}

%condition (other: (s32[], f32[5,100], f32[100])) -> pred[] {
  %other = (s32[], f32[5,100]{1,0}, f32[100]{0}) parameter(0)
  ROOT %stop = pred[] constant(false)
}

ENTRY %main (a: f32[100], b: f32[100], c: f32[5,100]) -> f32[5,100] {
  %a = f32[100]{0} parameter(0)
  %b = f32[100]{0} parameter(1)
  %c = f32[5,100]{1,0} parameter(2)
  %start = s32[] constant(0)
  %fused = f32[100]{0} fusion(%a, %b), kind=kLoop, calls=%chain
  %alone = f32[100]{0} fusion(%fused), kind=kLoop, calls=%wrapped
  %turned = f32[100]{0} transpose(%alone), dimensions={0}
  %tuple = (s32[], f32[5,100]{1,0}, f32[100]{0}) tuple(%start, %c, %turned)
  %loop = (s32[], f32[5,100]{1,0}, f32[100]{0}) while(%tuple), condition=%condition, body=%body, \
backend_config={"known_trip_count":{"n":"5"}}
  ROOT %result = f32[5,100]{1,0} get-tuple-element(%loop), index=1
}
"""

FOUND = read_fusions(PROGRAM)


def test_kernels_of_a_loop_count_as_often_as_it_turns():
    assert FOUND.kernels == 3 + 5


def test_a_slice_written_in_place_moves_itself_alone():
    index = 4
    assert FOUND.moved == (3 + 2 + 2) * SIZE + 5 * (2 * SIZE + index)


def test_a_fusion_of_one_operation_stands_alone():
    assert FOUND.alone["copy"] == (1, 2 * SIZE)


def test_an_operation_without_a_fusion_stands_alone():
    assert FOUND.alone["transpose"] == (1, 2 * SIZE)


def test_a_fusion_of_several_operations_does_not_stand_alone():
    assert set(FOUND.alone) == {"copy", "transpose", "dynamic-update-slice"}


def test_what_stands_alone_is_said_with_its_bytes():
    assert "1 copy (0.0 MB)" in str(FOUND)
