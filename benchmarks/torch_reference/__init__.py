"""SFE, StyleGAN3, FID and a training step in plain PyTorch: what ours is compared with.

Written from the papers and from the layout of the published weights, without custom kernels, as
the originals run on CPU. Children carry the names of our modules, so that our arrays load strictly
by name. Everything here needs torch, the rest of the repository does not.
"""
