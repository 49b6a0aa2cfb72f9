/* bench/guests/compute.c compiled for this machine, once for each level of optimisation (cmake/FuseboxBench.cmake). */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
uint32_t fusebox_compute_o2(uint32_t iterations);
uint32_t fusebox_compute_o3(uint32_t iterations);
#ifdef __cplusplus
}
#endif
