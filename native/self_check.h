// Whether a device computes what it should: a small ring convolution there and on another backend.
#pragma once

#include "backend/backend.h"

namespace gmr {

// Throws BackendError: what the backend says where the device cannot be used, else device_failure where it fails or its
// values are wrong. Takes some milliseconds beyond the first use of the device.
void self_check(const Backend& backend, int index, const Backend& reference);

}  // namespace gmr
