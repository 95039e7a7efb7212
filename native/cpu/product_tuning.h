// Tile sizes of the implicit product, by instruction-set level. Measurements: docs/performance.md.
#pragma once

#include <cstdint>

#include "cpu/simd.h"

namespace gmr::cpu {

// Register tile of the product: rows x vectors. Accumulators + one row of operand vectors + one broadcast must fit the
// registers: 32 with AVX-512 (8x3 + 3 + 1 = 28), 16 otherwise (6x2 + 2 + 1 = 15). On arm64, which has 32 too, compilers
// load the broadcasts of all rows ahead: 8x2 + 2 + 8 = 26, where 8x3 + 3 + 8 would spill.
constexpr int tile_rows = vector_registers >= 32 ? 8 : 6;
constexpr int tile_vectors = vector_registers >= 32 && lanes > 4 ? 3 : 2;

// Depth of one panel of operand rows: long enough that loading and storing the accumulators (2 of depth + 2 steps) is
// lost in it, short enough that one column block of it (depth x 48 floats) stays in the L1 cache.
constexpr int64_t panel_depth = 160;

// Operand panel and result tile of a task together: nearly all of the smallest L2 cache among today's servers (1 MiB).
// Images of 32 x 32 at 64 outputs, and of 28 x 28 at 128, are then one tile without halo, and images of 56 x 56 three
// tiles. A channel's rows stay together: a dense kernel of more taps than panel_depth makes a deeper panel (k = 31: 961
// rows, 1 MB with the least tile).
constexpr int64_t tile_floats = 235 * 1024;

// Pixels of a tile at the most and, where the image has that many, at the least. Rows of halo around a tile are work
// done twice.
constexpr int64_t most_tile_pixels = 1088;
constexpr int64_t least_tile_pixels = 256;

// Outputs of a task at the most: beyond, the result tile leaves the L2 cache, and making the operand again costs less
// than 2 %.
constexpr int64_t most_tile_outputs = 256;

// Wide images are cut into columns of at most this many pixels, so that a tile has more rows and less halo.
constexpr int64_t most_tile_width = 96;

// Deep tiles: columns times slices of halo, 16 columns at k = 9 and 64 at k = 3, where runs of memory count for more than
// slices that are folded again (of one vector's columns at k = 3 the weight gradient takes up to four times as long), and
// rows at the least (with two, 64 x 64 x 64 at k = 9 takes a quarter longer).
constexpr int64_t deep_tile_width = 128;
constexpr int64_t least_deep_rows = 4;

// A weight gradient with more outputs a channel has no deep tiles: dy is read once for all channels, in runs of a tile's
// columns.
constexpr int64_t most_deep_outputs_a_channel = 4;

// A weight gradient is summed over this many parts (fixed by the shape alone, so that results do not depend on the
// threads), or fewer where channels give enough tasks.
constexpr int64_t weight_gradient_tasks = 16;

// A weight gradient makes the transposed dy once for all chunks of channels where there are this many; with fewer,
// writing all of it to memory and reading it again takes longer than making it again tile by tile.
constexpr int64_t least_shared_chunks = 4;

// And where it takes no more than this, 64 MiB: work space is no part of what a caller expects to need.
constexpr int64_t most_shared_floats = 16 * 1024 * 1024;

}  // namespace gmr::cpu
