// Reading and checking ConvGeometry, for conv and ring_conv.
#pragma once

#include "napi/params_reader.h"
#include "ops/conv/conv_geometry.h"

namespace gmr {

ConvGeometry read_conv_geometry(ParamsReader& r);

int64_t input_count(const ConvGeometry& g);   // of x
int64_t output_count(const ConvGeometry& g);  // of y

}  // namespace gmr
