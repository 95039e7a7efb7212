// Graphs of kernels, captured from a stream and launched again.
#include "testing/cuda_sim/simulator.h"

using gmr::cuda_sim::api_call;
using gmr::cuda_sim::RecordedLaunch;
using gmr::cuda_sim::Simulator;

struct CUgraph_st {
  std::vector<RecordedLaunch> launches;
};

struct CUgraphExec_st {
  std::vector<RecordedLaunch> launches;
};

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  return api_call("cudaStreamBeginCapture", [&](Simulator& simulator) {
    // The legacy stream cannot be captured.
    if (stream == nullptr || simulator.captures.contains(stream)) return cudaErrorStreamCaptureUnsupported;
    simulator.captures[stream];
    return cudaSuccess;
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  return api_call("cudaStreamEndCapture", [&](Simulator& simulator) {
    const auto found = simulator.captures.find(stream);
    if (found == simulator.captures.end()) return cudaErrorIllegalState;
    *graph = new CUgraph_st{std::move(found->second)};
    simulator.captures.erase(found);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  return api_call("cudaGraphInstantiate", [&](Simulator&) {
    *executable = new CUgraphExec_st{graph->launches};
    return cudaSuccess;
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  return api_call("cudaGraphLaunch", [&](Simulator& simulator) {
    for (RecordedLaunch& launch : executable->launches) {
      std::vector<void*> arguments;
      for (std::vector<std::byte>& value : launch.arguments) arguments.push_back(value.data());
      const cudaError_t error =
          simulator.launch(launch.function, launch.grid, launch.block, arguments.data(), launch.dynamic_shared, stream);
      if (error != cudaSuccess) return error;
    }
    return cudaSuccess;
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}

}  // extern "C"
