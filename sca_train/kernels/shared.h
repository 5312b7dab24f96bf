// What the kernel files share: vectors of floats, and the shape of a convolution.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#ifdef __AVX2__
#include <immintrin.h>
#endif

#ifdef __AVX512F__
constexpr int LANES = 16;   // floats in one vector
#else
constexpr int LANES = 8;
#endif

typedef float Vector __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));
typedef int32_t Integers __attribute__((vector_size(LANES * sizeof(int32_t)), aligned(4)));

// The last vector of a layer's channels may be a part of one.
#if defined(__AVX512F__)
inline __mmask16 first_lanes(int64_t count) { return static_cast<__mmask16>((1u << count) - 1); }

inline Vector load_part(const float* from, int64_t count) { return (Vector)_mm512_maskz_loadu_ps(first_lanes(count), from); }

inline void save_part(Vector v, int64_t count, float* to) {
    _mm512_mask_storeu_ps(to, first_lanes(count), (__m512)v);
}
#elif defined(__AVX2__)
inline __m256i first_lanes(int64_t count) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), lane);
}

inline Vector load_part(const float* from, int64_t count) { return (Vector)_mm256_maskload_ps(from, first_lanes(count)); }

inline void save_part(Vector v, int64_t count, float* to) { _mm256_maskstore_ps(to, first_lanes(count), (__m256)v); }
#else
__attribute__((noinline)) inline Vector load_part(const float* from, int64_t count) {
    float values[LANES] = {};
    std::memcpy(values, from, count * sizeof(float));
    return *reinterpret_cast<const Vector*>(values);
}

__attribute__((noinline)) inline void save_part(Vector v, int64_t count, float* to) {
    std::memcpy(to, &v, count * sizeof(float));
}
#endif

// One value in all lanes. Nothing is subtracted: x - 0 is x for every x, and 0 + x is not, for -0.
inline Vector spread(float x) { return x - Vector{}; }

inline Vector load(const float* from, int64_t count) {
    return __builtin_expect(count >= LANES, 1) ? *reinterpret_cast<const Vector*>(from) : load_part(from, count);
}

// So many integers as they lie in memory, into a vector of zeros.
template <typename Small, typename Several>
inline void read(const Small* from, int64_t count, Several& several) {
    if (__builtin_expect(count * sizeof(Small) >= sizeof several, 1))
        std::memcpy(&several, from, sizeof several);
    else
        std::memcpy(&several, from, count * sizeof(Small));
}

// And from a vector; the number of bytes is a constant for all but the last vector of channels.
template <typename Small, typename Several>
inline void write(const Several& several, int64_t count, Small* to) {
    if (__builtin_expect(count * sizeof(Small) >= sizeof several, 1))
        std::memcpy(to, &several, sizeof several);
    else
        std::memcpy(to, &several, count * sizeof(Small));
}

typedef uint8_t Bytes __attribute__((vector_size(LANES)));
typedef int8_t SignedBytes __attribute__((vector_size(LANES)));
typedef uint16_t Halves __attribute__((vector_size(LANES * sizeof(uint16_t))));

inline Integers widen(Integers several) { return several; }

// GCC 12 makes convertvector of these lane by lane.
#if defined(__AVX512F__)
inline Integers widen(Bytes several) { return (Integers)_mm512_maskz_cvtepu8_epi32(0xffff, (__m128i)several); }

inline Integers widen(SignedBytes several) { return (Integers)_mm512_maskz_cvtepi8_epi32(0xffff, (__m128i)several); }

inline Integers widen(Halves several) { return (Integers)_mm512_maskz_cvtepu16_epi32(0xffff, (__m256i)several); }
#elif defined(__AVX2__)
inline Integers widen(Bytes several) { return (Integers)_mm256_cvtepu8_epi32(_mm_cvtsi64_si128((int64_t)several)); }

inline Integers widen(SignedBytes several) { return (Integers)_mm256_cvtepi8_epi32(_mm_cvtsi64_si128((int64_t)several)); }

inline Integers widen(Halves several) { return (Integers)_mm256_cvtepu16_epi32((__m128i)several); }
#else
template <typename Several>
inline Integers widen(Several several) { return __builtin_convertvector(several, Integers); }
#endif

template <typename Small>
inline Integers load_integers(const Small* from, int64_t count) {
    typedef Small Several __attribute__((vector_size(LANES * sizeof(Small))));
    Several several{};
    read(from, count, several);
    return widen(several);
}

// So many values as floats: of floats, of bf16, which are the upper halves of floats, and of counts.
inline Vector load_values(const float* from, int64_t count) { return load(from, count); }

inline Vector load_values(const uint16_t* from, int64_t count) { return (Vector)(load_integers(from, count) << 16); }

inline Vector load_values(const uint8_t* from, int64_t count) {
    return __builtin_convertvector(load_integers(from, count), Vector);
}

inline void save(Vector v, int64_t count, float* to) {
    if (__builtin_expect(count >= LANES, 1))
        *reinterpret_cast<Vector*>(to) = v;
    else
        save_part(v, count, to);
}

// As bf16, the nearest, to even between two; NaN stays NaN.
inline void save(Vector v, int64_t count, uint16_t* to) {
    const Integers bits = (Integers)v, nearest = bits + 0x7fff + (bits >> 16 & 1);
    write(__builtin_convertvector((v == v ? nearest : (bits | 0x400000)) >> 16, Halves), count, to);
}

// Mirrored by ctypes.
struct Convolution {
    int64_t timesteps, images, height, width, inputs, outputs, kernel, stride;
    int64_t out_height, out_width;
    int64_t padding() const { return kernel / 2; }
};
