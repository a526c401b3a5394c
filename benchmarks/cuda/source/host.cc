// The kernels as functions of a processor, for tests.
#include "handlers.h"
