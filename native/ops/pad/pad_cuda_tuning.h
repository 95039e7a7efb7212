// Sizes of the tiles of padding.
#pragma once

#include <cstdint>

namespace gmr::cuda {

// Floats of a tile in shared memory, 16 KiB, those of several slices with the places of their rows: of planes of 58 x 58
// one, and 13 blocks on a multiprocessor of an H100.
constexpr int pad_tile_floats = 4096;

// Of what a block has to do, words that are stored a thread at a time.
constexpr int pad_threads = 128;

// Blocks on a multiprocessor, by registers, of which that allows 64: left alone, ptxas spills for some targets.
constexpr int pad_least_blocks = 8;

// Elements that are read at a time: a warp's stores to shared memory of 16 bytes a lane meet no bank twice.
constexpr int pad_pack = 4;

// Rows of at most a tile; where columns come from takes as much again, as do rows of one element.
constexpr int64_t pad_most_width = pad_tile_floats;

// Small planes are shared out among so many blocks for each multiprocessor, rather than in whole tiles.
constexpr int64_t pad_blocks_a_multiprocessor = 8;

}  // namespace gmr::cuda
