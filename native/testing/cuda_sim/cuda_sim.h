/* What a library that is linked against the simulator instead of the CUDA runtime exports beside its own functions.
 * All may be called at any time from any thread. Environment variables give the initial settings.
 */
#ifndef GMR_CUDA_SIM_H
#define GMR_CUDA_SIM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GMR_CUDA_SIM_API __attribute__((visibility("default")))

/* All faults since the last reset, empty where there were none. Valid until the next call of this function. */
GMR_CUDA_SIM_API const char* gmr_cuda_sim_report(void);

/* Forgets faults and errors, also the sticky one, and planned failures. Memory and kernels stay. */
GMR_CUDA_SIM_API void gmr_cuda_sim_reset(void);

/* "<launches> <mangled name>", one __global__ function a line. */
GMR_CUDA_SIM_API const char* gmr_cuda_sim_kernels(void);

/* One line for each allocation of device or pinned memory, stream and event that has not been given back. */
GMR_CUDA_SIM_API const char* gmr_cuda_sim_leaks(void);

/* Kernels that were never launched, translated all the same: what no opcode table entry covers, a paragraph each. */
GMR_CUDA_SIM_API const char* gmr_cuda_sim_unsupported(void);

/* Instructions in the PTX of all kernels, for all targets, with their modifiers, a line each. */
GMR_CUDA_SIM_API const char* gmr_cuda_sim_opcodes(void);

/* Warp instructions executed so far. */
GMR_CUDA_SIM_API uint64_t gmr_cuda_sim_instructions(void);

/* What ptxas gave each kernel, for each target that there is machine code for, a line each, fields apart by spaces:
 * target, registers a thread, bytes of stack a thread, bytes of static shared memory, threads of its launch bounds (0:
 * none), ptxas's version, name with parameters. */
GMR_CUDA_SIM_API const char* gmr_cuda_sim_resources(void);

/* Blocks that a multiprocessor of compute capability `arch` (90 for 9.0) holds at a time, by NVIDIA's formula. */
GMR_CUDA_SIM_API int gmr_cuda_sim_blocks_per_multiprocessor(int arch, int registers, int static_shared, int threads,
                                                            int dynamic_shared);

/* Turns counting on, with nothing counted yet, or off. It costs time only while it is on. */
GMR_CUDA_SIM_API void gmr_cuda_sim_set_counting(int on);

/* What launches cost, summed over those of one kernel in one shape, a JSON object a line: see counters.h. */
GMR_CUDA_SIM_API const char* gmr_cuda_sim_counters(void);

/* Of each launch runs at most so many blocks, spread over the grid; 0: all. For counting alone: what the other blocks
 * would write stays unwritten, so races and uninitialised reads go unchecked meanwhile. */
GMR_CUDA_SIM_API void gmr_cuda_sim_sample_blocks(uint64_t most);

/* Marks device memory as uninitialised: for allocators that hand out again what they got back. */
GMR_CUDA_SIM_API void gmr_cuda_sim_forget(const void* data, size_t bytes);

/* GMR_CUDA_SIM_SEED: 0 runs blocks and warps in order, any other number in an order and interleaving of its own. */
GMR_CUDA_SIM_API void gmr_cuda_sim_set_seed(uint64_t seed);

/* GMR_CUDA_SIM_CHECKS: 0 leaves races and uninitialised reads unchecked. Bounds are always checked. */
GMR_CUDA_SIM_API void gmr_cuda_sim_set_checks(int on);

/* GMR_CUDA_SIM_QUIET: 1 keeps faults out of stderr. */
GMR_CUDA_SIM_API void gmr_cuda_sim_set_quiet(int on);

/* GMR_CUDA_SIM_DEVICES: how many there are. They share one memory. */
GMR_CUDA_SIM_API void gmr_cuda_sim_set_devices(int count);

/* GMR_CUDA_SIM_MEMORY: bytes of device memory. */
GMR_CUDA_SIM_API void gmr_cuda_sim_set_memory(uint64_t bytes);

/* GMR_CUDA_SIM_ARCH: compute capability, 90 for 9.0. Kernels that have run already keep their PTX. */
GMR_CUDA_SIM_API void gmr_cuda_sim_set_arch(int arch);

/* GMR_CUDA_SIM_DRIVER: the version of CUDA that the driver is for, 12080 for 12.8; 0: there is no driver. Without a driver
 * for this CUDA there are no devices. */
GMR_CUDA_SIM_API void gmr_cuda_sim_set_driver(int version);

/* GMR_CUDA_SIM_FAIL, "cudaMalloc:3:2": the nth call from now (1 is the next) of a CUDA function fails with an error.
 * Kernel launches are calls of cudaLaunchKernel, "*" are calls of any function. nth 0: all calls fail; -n: the nth and
 * all after it. Error 0: it does nothing and says that it has, as if a wait had been forgotten. Error -1: it never
 * returns. */
GMR_CUDA_SIM_API void gmr_cuda_sim_fail(const char* function, int nth, int error);

/* The function that met the last planned failure since the last reset, empty where none has. */
GMR_CUDA_SIM_API const char* gmr_cuda_sim_failed(void);

#ifdef __cplusplus
}
#endif

#endif
