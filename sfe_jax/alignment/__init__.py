"""Faces cut out of photographs as FFHQ is cut, and put back; arrays and Pillow, no JAX.

Places are (x, y) in pixels. Points and quads count from the centre of the first pixel, as finders
of landmarks do; placements count from its outer edge, half a pixel more. Left is the picture's.
"""
