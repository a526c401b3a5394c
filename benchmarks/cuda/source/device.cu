// The kernels for GPUs.
#include "handlers.h"
