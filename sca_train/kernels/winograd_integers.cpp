// Dense 3x3 convolutions of stride 1 of counts and spikes with integer weights, by Winograd's tiles in integers: exact. The
// transform of weights has fractions, so its rows are taken 4, 6, 6, 24, 24 and 1 times; that of products makes up for it
// to 24 times each way. It wraps around in 32 bits, which sums below 2^31 / 576 come out of unharmed.

#include "winograd.h"

namespace {

constexpr int SHIFT = 6;                        // 24 * 24 = 9 << 6
constexpr uint32_t NINTH = 954437177;           // 9 * NINTH = 1 in 32 bits

typedef uint32_t Wrapping __attribute__((vector_size(LANES * sizeof(uint32_t)), aligned(4), may_alias));
typedef int16_t Shorts __attribute__((vector_size(LANES * sizeof(uint32_t)), aligned(4), may_alias));

// Pairs of integers of 16 bits.
struct Pairs {
    typedef uint32_t Word;
    typedef Shorts Channels;
    typedef Wrapping Sums;
    static constexpr int64_t IN_WORD = 2;
    typedef uint8_t Several __attribute__((vector_size(IN_WORD * LANES)));
    static Shorts load(const uint8_t* from, int64_t count) {
        Several several{};
        read(from, count, several);
        return __builtin_convertvector(several, Shorts);
    }
    static Shorts spikes(const uint8_t* from, int64_t count, uint8_t step) {
        Several several{};
        read(from, count, several);
        return __builtin_convertvector(((several & step) != 0) & 1, Shorts);
    }
    static Shorts spikes(const int32_t* from, int64_t count, int32_t step) {
        const Integers low = load_integers(from, count);
        const Integers high = count > LANES ? load_integers(from + LANES, count - LANES) : Integers{};
        Shorts lower_halves;
        for (int i = 0; i < IN_WORD * LANES; ++i) lower_halves[i] = 2 * i;
        return __builtin_shuffle((Shorts)((low & step) != 0), (Shorts)((high & step) != 0), lower_halves) & 1;
    }
    static Wrapping spread(uint32_t x) { return x - Wrapping{}; }
    static Wrapping add_product(Wrapping sum, Wrapping a, Wrapping b) {
#if defined(__AVX512BW__)
        return sum + (Wrapping)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif defined(__AVX2__) && !defined(__AVX512F__)
        return sum + (Wrapping)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#else
        const Integers low = ((Integers)a << 16 >> 16) * ((Integers)b << 16 >> 16);
        return sum + (Wrapping)(low + ((Integers)a >> 16) * ((Integers)b >> 16));
#endif
    }
    static void transform_product(const Wrapping* m, int64_t from, Wrapping* out, int64_t to) {
        const Wrapping m0 = m[0], m1 = m[from], m2 = m[2 * from], m3 = m[3 * from], m4 = m[4 * from], m5 = m[5 * from];
        const Wrapping sum = 4 * (m1 + m2), difference = 4 * (m1 - m2), far_sum = m3 + m4, far_difference = 2 * (m3 - m4);
        out[0] = 4 * m0 + 2 * m0 + sum + far_sum;
        out[to] = difference + far_difference;
        out[2 * to] = sum + 4 * far_sum;
        out[3 * to] = difference + 4 * far_difference + 16 * m5 + 8 * m5;
    }
};

inline void transform_weights(const Integers* w, int64_t from, Integers* out, int64_t to) {
    const Integers w0 = w[0], w1 = w[from], w2 = w[2 * from];
    const Integers even = w0 + w2, far_even = w0 + 4 * w2;
    out[0] = w0;
    out[to] = -even - w1;
    out[2 * to] = w1 - even;
    out[3 * to] = far_even + 2 * w1;
    out[4 * to] = far_even - 2 * w1;
    out[5 * to] = w2;
}

// Weights [9][inputs][blocks * COLUMNS] to [POSITIONS][blocks][pairs of inputs][COLUMNS].
void transform_all_weights(const Convolution& shape, const int8_t* weights, uint32_t* out) {
    const int64_t pairs = (shape.inputs + 1) / 2, row = register_blocks(shape.outputs) * COLUMNS;
#pragma omp parallel for schedule(static)
    for (int64_t pair = 0; pair < pairs; ++pair) {
        for (int64_t o = 0; o < row; o += LANES) {
            Integers whole[2][POSITIONS];
            for (int64_t side = 0; side < 2; ++side) {
                const int64_t input = 2 * pair + side;
                Integers kernel[KERNEL * KERNEL], half[COVER][KERNEL];
                for (int64_t k = 0; k < KERNEL * KERNEL; ++k)
                    kernel[k] = input < shape.inputs
                                    ? load_integers(weights + (k * shape.inputs + input) * row + o, LANES)
                                    : Integers{};
                for (int64_t x = 0; x < KERNEL; ++x) transform_weights(kernel + x, KERNEL, &half[0][x], KERNEL);
                for (int64_t y = 0; y < COVER; ++y) transform_weights(half[y], 1, whole[side] + y * COVER, 1);
            }
            uint32_t* target = out + (o / COLUMNS * pairs + pair) * COLUMNS + o % COLUMNS;
            for (int64_t p = 0; p < POSITIONS; ++p, target += pairs * row)
                *reinterpret_cast<Wrapping*>(target) = (Wrapping)(whole[0][p] & 0xffff) | (Wrapping)whole[1][p] << 16;
        }
    }
}

template <typename Maps>
void convolve(const Convolution& shape, const Maps& maps, const int8_t* weights, const float* scale, float* out) {
    const int64_t pairs = (shape.inputs + 1) / 2;
    const auto transformed = memory<uint32_t>(POSITIONS * pairs * register_blocks(shape.outputs) * COLUMNS);
    transform_all_weights(shape, weights, transformed.get());
    convolve_tiles<Pairs>(shape, maps, transformed.get(), out, [&](Wrapping sum, int64_t channel) {
        const Integers exact = (Integers)((Wrapping)((Integers)sum >> SHIFT) * NINTH);
        return __builtin_convertvector(exact, Vector) * load(scale + channel, shape.outputs - channel);
    });
}

}  // namespace

extern "C" {

// out [N][H][W][outputs]: sums of counts [N][H][W][inputs] and weights [9][inputs][outputs, padded with zeros to whole
// register blocks], times scale [outputs].
void winograd_integer_convolution(const Convolution* shape, const uint8_t* counts, const int8_t* weights,
                                  const float* scale, float* out) {
    const int64_t size = shape->height * shape->width * shape->inputs;
    convolve(*shape, ValueMaps<Pairs, uint8_t>{counts, size}, weights, scale, out);
}

// The same [T][N][H][W][outputs] of spikes, from trains [N][H][W][inputs] (train_bytes 1 or 4).
void winograd_spike_integer_convolution(const Convolution* shape, const void* trains, int32_t train_bytes,
                                        const int8_t* weights, const float* scale, float* out) {
    const int64_t size = shape->height * shape->width * shape->inputs;
    if (train_bytes == 1)
        convolve(*shape, SpikeMaps<Pairs, uint8_t>{static_cast<const uint8_t*>(trains), size, shape->images}, weights,
                 scale, out);
    else
        convolve(*shape, SpikeMaps<Pairs, int32_t>{static_cast<const int32_t*>(trains), size, shape->images}, weights,
                 scale, out);
}

}  // extern "C"
