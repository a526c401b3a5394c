from sfe_jax.models.stylegan3 import FFHQ_T_CHANNELS
from sfe_jax.training.alias_free import AliasFreeOptions

SIZES = {"resolution": 1024, "base": 32768, "maximum": 512}


def test_defaults_are_configuration_t():
    generator = AliasFreeOptions().build(**SIZES)
    assert generator.channels == FFHQ_T_CHANNELS
    assert (generator.kernel_size, generator.radial, generator.num_ws) == (3, False, 16)


def test_widening_doubles_base_and_maximum_as_in_configuration_r():
    generator = AliasFreeOptions(kernel_size=1, radial=True, widening=2).build(**SIZES)
    assert generator.channels == (*(1024,) * 7, 645, 406, 256, 161, 102, 64, 64)


def test_fields_reach_the_generator():
    options = AliasFreeOptions(num_layers=5, num_critical=1, margin=6)
    generator = options.build(resolution=64, base=1024, maximum=64, z_dim=7, c_dim=3)
    assert generator.channels == (64, 64, 64, 32, 16)
    assert (generator.num_critical, generator.margin) == (1, 6)
    assert (generator.z_dim, generator.c_dim) == (7, 3)
