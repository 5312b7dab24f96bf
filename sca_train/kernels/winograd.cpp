// Dense 3x3 convolutions of stride 1 in floats, by Winograd's tiles. It serves the gradients of spikes and of spike counts,
// which are dense, and spikes where they are too many for adding them one by one to be faster.

#include "winograd.h"

namespace {

constexpr int64_t CHUNK_WORDS = 1 << 18;        // transformed tiles of all threads for a weight gradient
constexpr int64_t DEPTH = 64;                   // tiles that one product adds up, so that its operands stay in L1

struct Floats {
    typedef float Word;
    typedef Vector Channels, Sums;
    static constexpr int64_t IN_WORD = 1;
    template <typename Value>
    static Vector load(const Value* from, int64_t count) { return load_values(from, count); }
    template <typename Train>
    static Vector spikes(const Train* from, int64_t count, Train step) {
        constexpr int32_t ONE = 0x3f800000;     // the bits of 1.0f
        return (Vector)(((load_integers(from, count) & static_cast<int32_t>(step)) != 0) & ONE);
    }
    static Vector spread(float x) { return ::spread(x); }
    static Vector add_product(Vector sum, Vector a, Vector b) { return sum + a * b; }
    static void transform_product(const Vector* m, int64_t from, Vector* out, int64_t to) {
        const Vector m0 = m[0], m1 = m[from], m2 = m[2 * from], m3 = m[3 * from], m4 = m[4 * from], m5 = m[5 * from];
        const Vector sum = m1 + m2, difference = m1 - m2, far_sum = m3 + m4, far_difference = m3 - m4;
        out[0] = m0 + sum + far_sum;
        out[to] = difference + 2.0f * far_difference;
        out[2 * to] = sum + 4.0f * far_sum;
        out[3 * to] = difference + 8.0f * far_difference + m5;
    }
};

// Weights of a row or column of the kernel to their COVER positions, and the transpose for their gradient.
inline void transform_weights(const Vector* w, int64_t from, Vector* out, int64_t to) {
    const Vector w0 = w[0], w1 = w[from], w2 = w[2 * from];
    const Vector even = (w0 + w2) * (-1.0f / 6), odd = w1 * (-1.0f / 6);
    const Vector far_even = w0 * (1.0f / 24) + w2 * (1.0f / 6), far_odd = w1 * (1.0f / 12);
    out[0] = w0 * 0.25f;
    out[to] = even + odd;
    out[2 * to] = even - odd;
    out[3 * to] = far_even + far_odd;
    out[4 * to] = far_even - far_odd;
    out[5 * to] = w2;
}

inline void gather_weights(const Vector* m, int64_t from, Vector* out, int64_t to) {
    const Vector m0 = m[0], m1 = m[from], m2 = m[2 * from], m3 = m[3 * from], m4 = m[4 * from], m5 = m[5 * from];
    const Vector sum = (m1 + m2) * (-1.0f / 6), difference = (m1 - m2) * (-1.0f / 6), far_sum = m3 + m4;
    out[0] = m0 * 0.25f + sum + far_sum * (1.0f / 24);
    out[to] = difference + (m3 - m4) * (1.0f / 12);
    out[2 * to] = sum + far_sum * (1.0f / 6) + m5;
}

// Weights [9][inputs][blocks * COLUMNS] to [POSITIONS][blocks][inputs][COLUMNS].
void transform_all_weights(const Convolution& shape, const float* weights, float* out) {
    const int64_t wide = register_blocks(shape.outputs), row = wide * COLUMNS, position_floats = shape.inputs * row;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < shape.inputs; ++i) {
        for (int64_t o = 0; o < row; o += LANES) {
            Vector kernel[KERNEL * KERNEL], half[COVER][KERNEL], whole[COVER];
            for (int64_t k = 0; k < KERNEL * KERNEL; ++k)
                kernel[k] = *reinterpret_cast<const Vector*>(weights + k * position_floats + i * row + o);
            for (int64_t x = 0; x < KERNEL; ++x) transform_weights(kernel + x, KERNEL, &half[0][x], KERNEL);
            float* target = out + (o / COLUMNS * shape.inputs + i) * COLUMNS + o % COLUMNS;
            for (int64_t y = 0; y < COVER; ++y) {
                transform_weights(half[y], 1, whole, 1);
                for (int64_t x = 0; x < COVER; ++x, target += position_floats)
                    *reinterpret_cast<Vector*>(target) = whole[x];
            }
        }
    }
}

// The gradient of weights [9][floats] from that of their transforms [POSITIONS][floats].
void gather_all_weights(const float* sums, int64_t floats, float* out) {
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < floats; i += LANES) {
        Vector place[POSITIONS], half[COVER][KERNEL], whole[KERNEL][KERNEL];
        for (int64_t p = 0; p < POSITIONS; ++p) place[p] = *reinterpret_cast<const Vector*>(sums + p * floats + i);
        for (int64_t y = 0; y < COVER; ++y) gather_weights(place + y * COVER, 1, half[y], 1);
        for (int64_t x = 0; x < KERNEL; ++x) gather_weights(&half[0][x], KERNEL, &whole[0][x], KERNEL);
        for (int64_t k = 0; k < KERNEL * KERNEL; ++k)
            *reinterpret_cast<Vector*>(out + k * floats + i) = whole[k / KERNEL][k % KERNEL];
    }
}

template <typename Maps, typename Saved>
void convolve(const Convolution& shape, const Maps& maps, const float* weights, Saved* out) {
    const auto transformed = memory<float>(POSITIONS * shape.inputs * register_blocks(shape.outputs) * COLUMNS);
    transform_all_weights(shape, weights, transformed.get());
    convolve_tiles<Floats>(shape, maps, transformed.get(), out, [](Vector sum, int64_t) { return sum; });
}

template <typename Maps, typename Gradients>
void weight_gradient(const Convolution& shape, const Maps& maps, const Gradients& gradients, float* out) {
    const Tiles tiles(shape);
    const int64_t in_words = row_words(shape.inputs), wide = register_blocks(shape.outputs);
    const int64_t fitting = CHUNK_WORDS / (POSITIONS * (in_words + wide * COLUMNS));
    const int64_t chunk = std::min(std::max(fitting, DEPTH), tiles.count);
    const int64_t block_words = chunk * COLUMNS + LINE, in_place = chunk * in_words + LINE;
    const int64_t out_place = wide * block_words;
    const auto inputs = zeros<float>(POSITIONS * in_place), outputs = zeros<float>(POSITIONS * out_place);
    const auto sums = zeros<float>(POSITIONS * shape.inputs * wide * COLUMNS);
    const auto outside = zeros<float>(std::max(shape.inputs, shape.outputs));
#pragma omp parallel
    for (int64_t first = 0; first < tiles.count; first += chunk) {
        const int64_t count = std::min(chunk, tiles.count - first);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < count; ++i) {
            const int64_t tile = first + i, row = tiles.row(tile), top = tiles.top(tile), left = tiles.left(tile);
            transform_tile<Floats, COVER>(tiles, maps.image(row), top - 1, left - 1, shape.inputs, outside.get(),
                                          inputs.get() + i * in_words, in_place, COLUMNS);
            transform_tile<Floats, TILE>(tiles, gradients.image(row), top, left, shape.outputs, outside.get(),
                                         outputs.get() + i * COLUMNS, out_place, block_words);
        }
#pragma omp for schedule(static)
        for (int64_t place = 0; place < POSITIONS; ++place) {
            for (int64_t begin = 0; begin < count; begin += DEPTH)
                for (int64_t block = 0; block < wide; ++block)
                    multiply<false, true, Floats>(
                        inputs.get() + place * in_place + begin * in_words, in_words,
                        outputs.get() + place * out_place + block * block_words + begin * COLUMNS,
                        std::min(DEPTH, count - begin), shape.inputs, shape.outputs - block * COLUMNS,
                        sums.get() + (place * shape.inputs * wide + block) * COLUMNS, wide * COLUMNS);
        }
    }
    gather_all_weights(sums.get(), shape.inputs * wide * COLUMNS, out);
}

}  // namespace

extern "C" {

// out [T][N][H][W][outputs] of maps [T][N][H][W][inputs], both of floats or both of bf16 (value_bytes 4 or 2), and weights
// [9][inputs][outputs, padded with zeros to whole register blocks].
void winograd_convolution(const Convolution* shape, const void* maps, int32_t value_bytes, const float* weights,
                          void* out) {
    const int64_t size = shape->height * shape->width * shape->inputs;
    if (value_bytes == 4)
        convolve(*shape, ValueMaps<Floats, float>{static_cast<const float*>(maps), size}, weights,
                 static_cast<float*>(out));
    else
        convolve(*shape, ValueMaps<Floats, uint16_t>{static_cast<const uint16_t*>(maps), size}, weights,
                 static_cast<uint16_t*>(out));
}

// The same of spikes, from trains [N][H][W][inputs] (train_bytes 1 or 4).
void winograd_spike_convolution(const Convolution* shape, const void* trains, int32_t train_bytes, const float* weights,
                                float* out) {
    const int64_t size = shape->height * shape->width * shape->inputs;
    if (train_bytes == 1)
        convolve(*shape, SpikeMaps<Floats, uint8_t>{static_cast<const uint8_t*>(trains), size, shape->images}, weights, out);
    else
        convolve(*shape, SpikeMaps<Floats, int32_t>{static_cast<const int32_t*>(trains), size, shape->images}, weights, out);
}

// Gradient of such weights from that of the sums.
void winograd_weight_gradient(const Convolution* shape, const void* trains, int32_t train_bytes, const float* gradient,
                              float* out) {
    const int64_t size = shape->height * shape->width * shape->inputs;
    const ValueMaps<Floats, float> gradients{gradient, shape->height * shape->width * shape->outputs};
    if (train_bytes == 1)
        weight_gradient(*shape, SpikeMaps<Floats, uint8_t>{static_cast<const uint8_t*>(trains), size, shape->images}, gradients,
                        out);
    else
        weight_gradient(*shape, SpikeMaps<Floats, int32_t>{static_cast<const int32_t*>(trains), size, shape->images}, gradients,
                        out);
}

// The same for spike counts [N][H][W][inputs], from floats or bf16 (value_bytes 4 or 2).
void winograd_count_weight_gradient(const Convolution* shape, const uint8_t* counts, const void* gradient,
                                    int32_t value_bytes, float* out) {
    const int64_t pixels = shape->height * shape->width, size = pixels * shape->outputs;
    const ValueMaps<Floats, uint8_t> maps{counts, pixels * shape->inputs};
    if (value_bytes == 4)
        weight_gradient(*shape, maps, ValueMaps<Floats, float>{static_cast<const float*>(gradient), size}, out);
    else
        weight_gradient(*shape, maps, ValueMaps<Floats, uint16_t>{static_cast<const uint16_t*>(gradient), size}, out);
}

// Floats of a whole vector: weights are padded to it, and here to two of them.
int32_t vector_floats() { return LANES; }

// Spikes of trains [count], and how many trains have any.
void count_spikes(const void* trains, int32_t train_bytes, int64_t count, int64_t* spikes, int64_t* active) {
    int64_t found = 0, busy = 0;
    const uint8_t* bytes = static_cast<const uint8_t*>(trains);
    const uint32_t* words = static_cast<const uint32_t*>(trains);
#pragma omp parallel for schedule(static) reduction(+ : found, busy)
    for (int64_t i = 0; i < count; ++i) {
        const uint32_t train = train_bytes == 1 ? bytes[i] : words[i];
        found += __builtin_popcount(train);
        busy += train != 0;
    }
    *spikes = found;
    *active = busy;
}

}  // extern "C"
