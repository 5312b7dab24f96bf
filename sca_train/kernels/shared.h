// What both kernel files share: vectors of floats, and the shape of a convolution.

#pragma once

#include <algorithm>
#include <cstdint>

constexpr int LANES = 8;   // floats in one vector

typedef float Vector __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));
typedef int32_t Integers __attribute__((vector_size(LANES * sizeof(int32_t)), aligned(4)));

// The last vector of a layer's channels may be a part of one; that is kept out of the way of the whole ones.
__attribute__((noinline)) inline Vector load_part(const float* from, int64_t count) {
    float values[LANES] = {};
    for (int64_t j = 0; j < count; ++j) values[j] = from[j];
    return *reinterpret_cast<const Vector*>(values);
}

__attribute__((noinline)) inline void save_part(Vector v, int64_t count, float* to) {
    for (int64_t j = 0; j < count; ++j) to[j] = v[j];
}

inline Vector load(const float* from, int64_t count) {
    return __builtin_expect(count >= LANES, 1) ? *reinterpret_cast<const Vector*>(from) : load_part(from, count);
}

inline void save(Vector v, int64_t count, float* to) {
    if (__builtin_expect(count >= LANES, 1))
        *reinterpret_cast<Vector*>(to) = v;
    else
        save_part(v, count, to);
}

// Mirrored by ctypes.
struct Convolution {
    int64_t timesteps, images, height, width, inputs, outputs, kernel, stride;
    int64_t out_height, out_width;
    int64_t padding() const { return kernel / 2; }
};
