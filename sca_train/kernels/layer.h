// What the kernels of spiking and of rate-equivalent layers share: a layer, its map, and sums over pixels.

#pragma once

#include "shared.h"

// What a layer's neurons are and how its map is laid out; mirrored by ctypes.
struct Layer {
    int64_t timesteps, images, height, width, channels, pool;
    int32_t static_input;   // the sums are [N][H][W][C], the same at every step
    int32_t soft_reset;
    float keep, gain;       // potential = keep * carried + gain * current
    float threshold, alpha;
    float initial;          // potential before the first step
};

inline Vector absolute(Vector x) { return (Vector)((Integers)x & 0x7fffffff); }

// A running sum that moves its float part to double often enough to stay exact to about a float's last bits.
struct Total {
    typedef double Doubles __attribute__((vector_size(LANES * sizeof(double))));
    Vector now{};
    Doubles whole{};
    void flush() {
        whole += __builtin_convertvector(now, Doubles);
        now = Vector{};
    }
};

// Channels are walked innermost, LANES at a time, so that memory is read in its order; what is summed over pixels waits
// in one such record per block.
inline int64_t blocks_of(int64_t channels) { return (channels + LANES - 1) / LANES; }

inline int64_t in_block(int64_t channels, int64_t block) { return std::min<int64_t>(LANES, channels - block * LANES); }

// A layer's map, its pooled map, and where a window's pixels lie.
struct Map {
    int64_t rows, columns, step, pooled_step;
    const Layer& layer;
    explicit Map(const Layer& l)
        : rows(l.height / l.pool), columns(l.width / l.pool), step(l.images * l.height * l.width * l.channels),
          pooled_step(l.images * rows * columns * l.channels), layer(l) {}
    int64_t at(int64_t n, int64_t row, int64_t column, int64_t k) const {
        const int64_t y = row * layer.pool + k / layer.pool, x = column * layer.pool + k % layer.pool;
        return ((n * layer.height + y) * layer.width + x) * layer.channels;
    }
    int64_t pooled_at(int64_t n, int64_t row, int64_t column) const {
        return ((n * rows + row) * columns + column) * layer.channels;
    }
};
