#include "ops/bindings.h"

namespace gmr {
namespace {

// `least` is 1 where the statistics are the batch's: there must be one.
BatchNormExtents read_extents(ParamsReader& r, int64_t least) {
  return {r.integer("batch", least), r.integer("channels"), r.integer("pixels", least)};
}

int64_t size_of(const BatchNormExtents& e) { return element_count({e.batch, e.channels, e.pixels}); }

void read_affine(ParamsReader& r, BatchNormAffine& p, int64_t least) {
  p.type = r.element_type();
  p.extents = read_extents(r, least);
  p.eps = r.number("eps");
  p.relu = r.flag("relu");
  const int64_t size = size_of(p.extents);
  r.in("x", p.x, p.type, size);
  r.in_optional("weight", p.weight, p.extents.channels);
  r.in_optional("bias", p.bias, p.extents.channels);
  r.in_optional("residual", p.residual, p.type, size);
  r.out("y", p.y, p.type, size);
  r.out("mean", p.mean, p.extents.channels);
  r.out("inverseStd", p.inverse_std, p.extents.channels);
}

}  // namespace

void batch_norm_forward_read(ParamsReader& r, BatchNormForward& p) {
  read_affine(r, p.affine, 1);
  p.momentum = r.number("momentum");
  r.update_optional("runningMean", p.running_mean, p.affine.extents.channels);
  r.update_optional("runningVariance", p.running_variance, p.affine.extents.channels);
}

void batch_norm_forward_inference_read(ParamsReader& r, BatchNormForwardInference& p) {
  read_affine(r, p.affine, 0);
  r.in("runningMean", p.running_mean, p.affine.extents.channels);
  r.in("runningVariance", p.running_variance, p.affine.extents.channels);
}

void batch_norm_scale_read(ParamsReader& r, BatchNormScale& p) {
  p.channels = r.integer("channels");
  p.eps = r.number("eps");
  r.in_optional("weight", p.weight, p.channels);
  r.in("runningVariance", p.running_variance, p.channels);
  r.out("scale", p.scale, p.channels);
}

void batch_norm_backward_input_read(ParamsReader& r, BatchNormBackwardInput& p) {
  p.type = r.element_type();
  p.training = r.flag("training");
  p.extents = read_extents(r, p.training ? 1 : 0);
  const int64_t size = size_of(p.extents);
  r.in("x", p.x, p.type, size);
  r.in_optional("y", p.y, p.type, size);
  r.in_optional("weight", p.weight, p.extents.channels);
  r.in("mean", p.mean, p.extents.channels);
  r.in("inverseStd", p.inverse_std, p.extents.channels);
  r.in("dy", p.dy, p.type, size);
  r.out_optional("dx", p.dx, p.type, size);
  r.out_optional("dweight", p.dweight, p.extents.channels);
  r.out_optional("dbias", p.dbias, p.extents.channels);
  r.out_optional("dresidual", p.dresidual, p.type, size);
}

}  // namespace gmr
