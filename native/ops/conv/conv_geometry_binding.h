// Reading and checking ConvGeometry and Epilogue, for conv and ring_conv.
#pragma once

#include "napi/params_reader.h"
#include "ops/conv/conv_geometry.h"
#include "ops/conv/epilogue.h"

namespace gmr {

ConvGeometry read_conv_geometry(ParamsReader& r);

int64_t input_count(const ConvGeometry& g);   // of x
int64_t output_count(const ConvGeometry& g);  // of y

// `epilogue` is the member of the params struct that is being read.
void read_epilogue(ParamsReader& r, const ConvGeometry& g, Epilogue& epilogue);

}  // namespace gmr
