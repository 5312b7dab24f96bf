// Event-driven training kernels for spiking layers on the CPU.
//
// A spike train of T steps is one integer, bit t the spike at step t, as in the hardware. Three ideas carry the speed:
//   - batch norm, neurons, masks, pooling and the activity that pruning needs are one pass over the sums, and their
//     gradient is one more: membrane potentials are computed again instead of being kept;
//   - a convolution of spikes adds the weight rows of the inputs that spike, and multiplies nothing;
//   - its weight gradient adds, for each input train, one of the 16 sums over subsets of four steps' gradients, so the
//     steps of a train cost one addition together.
// Feature maps are [T][N][H][W][C] with channels fastest (torch: channels_last), trains [N][H][W][C].
// Work is cut into images, and sums over images are taken in the order of images: results do not depend on the number
// of threads. All functions are plain C for ctypes; the shapes are checked by the caller.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

constexpr int LANES = 8;                  // floats in one vector register
constexpr int BLOCK = 32;                 // channels that the neuron loops hold at a time
constexpr int MAX_T = 32;
constexpr int SUBSET_STEPS = 4;           // time steps whose gradients are summed over all subsets
constexpr int SUBSETS = 1 << SUBSET_STEPS;

typedef float Vector __attribute__((vector_size(LANES * sizeof(float)), aligned(4)));

// exp for x <= 0, relative error below 1e-6: 2^n times a polynomial for the remainder; vectorises, unlike std::exp.
inline float exp_negative(float x) {
    x = std::max(x, -80.0f);
    const float scaled = x * 1.44269504f;
    const float whole = std::floor(scaled);
    const float part = (scaled - whole) * 0.693147181f;
    const float power = 1.0f + part * (1.0f + part * (0.5f + part * (0.166666667f + part * (0.0416666667f
                        + part * (0.00833333333f + part * 0.00138888889f)))));
    const int32_t bits = (static_cast<int32_t>(whole) + 127) << 23;
    float two_to_whole;
    std::memcpy(&two_to_whole, &bits, sizeof bits);
    return power * two_to_whole;
}

// Derivative of the sigmoid surrogate: alpha * s * (1 - s) at alpha * x.
inline float surrogate_gradient(float x, float alpha) {
    const float e = exp_negative(-std::fabs(alpha * x));
    const float d = 1.0f + e;
    return alpha * e / (d * d);
}

}  // namespace

extern "C" {

// What a layer's neurons are and how its map is laid out; mirrored by ctypes.
struct Layer {
    int64_t timesteps, images, height, width, channels, pool;
    int32_t static_input;   // the sums are [N][H][W][C], the same at every step
    int32_t soft_reset;
    float keep, gain;       // potential = keep * carried + gain * current
    float threshold, alpha;
};

// Per-channel sums and sums of squares of rows [rows][channels], by images of `rows / parts` rows each.
void channel_moments(const float* x, int64_t rows, int64_t channels, int64_t parts, const double* shift,
                     double* partial /* [parts][2][channels] */) {
    const int64_t per_part = rows / parts;
#pragma omp parallel for schedule(static)
    for (int64_t part = 0; part < parts; ++part) {
        double* sums = partial + part * 2 * channels;
        std::fill(sums, sums + 2 * channels, 0.0);
        for (int64_t begin = 0; begin < channels; begin += BLOCK) {
            const int64_t count = std::min<int64_t>(BLOCK, channels - begin);
            float total[BLOCK], squares[BLOCK], centre[BLOCK];
            for (int64_t j = 0; j < count; ++j) centre[j] = static_cast<float>(shift[begin + j]);
            // Blocks of rows keep the float sums short, and so exact enough.
            for (int64_t row = 0; row < per_part; row += 256) {
                const int64_t last = std::min<int64_t>(row + 256, per_part);
                std::fill(total, total + BLOCK, 0.0f);
                std::fill(squares, squares + BLOCK, 0.0f);
                for (int64_t r = row; r < last; ++r) {
                    const float* values = x + (part * per_part + r) * channels + begin;
                    for (int64_t j = 0; j < count; ++j) {
                        const float value = values[j] - centre[j];
                        total[j] += value;
                        squares[j] += value * value;
                    }
                }
                for (int64_t j = 0; j < count; ++j) {
                    sums[begin + j] += total[j];
                    sums[channels + begin + j] += squares[j];
                }
            }
        }
    }
}

}  // extern "C"

namespace {

// Potentials before reset H[t] and the spike train of `count` neurons (channels) of one pixel. Never inlined, so that
// forward and backward round alike and see the same spikes.
template <bool SOFT>
__attribute__((noinline)) void integrate(const Layer& layer, const float* sums, int64_t step_stride, const float* scale,
                      const float* shift, int64_t count, float (*potential)[BLOCK], uint32_t* train) {
    float carried[BLOCK];
    for (int64_t j = 0; j < count; ++j) {
        carried[j] = 0.0f;
        train[j] = 0;
    }
    for (int64_t t = 0; t < layer.timesteps; ++t) {
        const float* row = sums + (layer.static_input ? 0 : t * step_stride);
        float* now = potential[t];
        for (int64_t j = 0; j < count; ++j) {
            const float current = scale[j] * row[j] + shift[j];
            const float before = layer.keep * carried[j] + layer.gain * current;
            const bool spike = before >= layer.threshold;
            now[j] = before;
            train[j] |= static_cast<uint32_t>(spike) << t;
            carried[j] = SOFT ? (spike ? before - layer.threshold : before) : (spike ? 0.0f : before);
        }
    }
}

template <typename Train, bool SOFT>
void forward(const Layer& layer, const float* sums, const float* scale, const float* shift, const float* mask,
             Train* trains, double* potential_sums, double* spike_sums, double* zero_sums) {
    const int64_t step_stride = layer.images * layer.height * layer.width * layer.channels;
    const int64_t pool = layer.pool, rows = layer.height / pool, columns = layer.width / pool;
    const bool record = potential_sums != nullptr;
#pragma omp parallel for schedule(static)
    for (int64_t n = 0; n < layer.images; ++n) {
        float potential[MAX_T][BLOCK];
        uint32_t train[BLOCK], pooled[BLOCK];
        if (record) {
            std::fill(potential_sums + n * layer.channels, potential_sums + (n + 1) * layer.channels, 0.0);
            std::fill(spike_sums + n * layer.channels, spike_sums + (n + 1) * layer.channels, 0.0);
        }
        std::fill(zero_sums + n * layer.channels, zero_sums + (n + 1) * layer.channels, 0.0);
        for (int64_t begin = 0; begin < layer.channels; begin += BLOCK) {
            const int64_t count = std::min<int64_t>(BLOCK, layer.channels - begin);
            float activity[BLOCK];
            int32_t spikes[BLOCK], zeros[BLOCK];
            std::fill(spikes, spikes + BLOCK, 0);
            std::fill(zeros, zeros + BLOCK, 0);
            for (int64_t row = 0; row < rows; ++row) {
                std::fill(activity, activity + BLOCK, 0.0f);
                for (int64_t column = 0; column < columns; ++column) {
                    std::fill(pooled, pooled + BLOCK, 0u);
                    for (int64_t k = 0; k < pool * pool; ++k) {
                        const int64_t y = row * pool + k / pool, x = column * pool + k % pool;
                        const int64_t at = ((n * layer.height + y) * layer.width + x) * layer.channels + begin;
                        integrate<SOFT>(layer, sums + at, step_stride, scale + begin, shift + begin, count, potential,
                                        train);
                        if (record) {
                            for (int64_t t = 0; t < layer.timesteps; ++t)
                                for (int64_t j = 0; j < count; ++j) activity[j] += std::fabs(potential[t][j]);
                            for (int64_t j = 0; j < count; ++j) spikes[j] += __builtin_popcount(train[j]);
                        }
                        for (int64_t j = 0; j < count; ++j) pooled[j] |= train[j];
                    }
                    Train* out = trains + ((n * rows + row) * columns + column) * layer.channels + begin;
                    for (int64_t j = 0; j < count; ++j) {
                        const uint32_t seen = mask[begin + j] != 0.0f ? pooled[j] : 0u;
                        zeros[j] += seen == 0u;
                        out[j] = static_cast<Train>(seen);
                    }
                }
                if (record)
                    for (int64_t j = 0; j < count; ++j) potential_sums[n * layer.channels + begin + j] += activity[j];
            }
            for (int64_t j = 0; j < count; ++j) {
                zero_sums[n * layer.channels + begin + j] = zeros[j];
                if (record) spike_sums[n * layer.channels + begin + j] = spikes[j];
            }
        }
    }
}

// Back through time: gradients of the spikes become those of the currents, in place.
template <bool SOFT>
inline void carry_back(const Layer& layer, float (*gradient)[BLOCK], const float (*potential)[BLOCK],
                       const uint32_t* train, int64_t count) {
    float carried[BLOCK];
    for (int64_t j = 0; j < count; ++j) carried[j] = 0.0f;
    for (int64_t t = layer.timesteps - 1; t >= 0; --t) {
        float* now = gradient[t];
        const float* before_reset = potential[t];
        for (int64_t j = 0; j < count; ++j)
            now[j] *= surrogate_gradient(before_reset[j] - layer.threshold, layer.alpha);
        for (int64_t j = 0; j < count; ++j) {
            // The reset is detached: a spike cuts what is carried (hard) or lets it pass (soft).
            const float through = SOFT ? carried[j] : ((train[j] >> t & 1u) ? 0.0f : carried[j]);
            const float before = through + now[j];
            now[j] = layer.gain * before;
            carried[j] = layer.keep * before;
        }
    }
}

// Writes the gradients of some sums, and adds them and their products with the normalised sums to running totals.
inline void add_moments(const float* __restrict values, const float* __restrict gradient, const float* __restrict centre,
                        const float* __restrict inverse, int64_t count, float* __restrict target,
                        float* __restrict total, float* __restrict product) {
    for (int64_t j = 0; j < count; ++j) {
        target[j] = gradient[j];
        total[j] += gradient[j];
        product[j] += gradient[j] * (values[j] - centre[j]) * inverse[j];
    }
}

template <bool SOFT>
void backward(const Layer& layer, const float* sums, const float* scale, const float* shift, const float* mask,
              bool regrow, float rate_gradient, const float* spike_gradient, const double* mean, const double* deviation,
              float* current_gradient, double* partial) {
    const int64_t map = layer.images * layer.height * layer.width * layer.channels;
    const int64_t pool = layer.pool, rows = layer.height / pool, columns = layer.width / pool;
    const int64_t pooled_stride = layer.images * rows * columns * layer.channels;
#pragma omp parallel for schedule(static)
    for (int64_t n = 0; n < layer.images; ++n) {
        float potential[MAX_T][BLOCK], incoming[MAX_T][BLOCK], centre[BLOCK], inverse[BLOCK];
        uint32_t train[BLOCK];
        // taken: bit t is set once an earlier pixel of the window spiked at step t, and so got the gradient
        uint32_t taken[BLOCK], first[BLOCK];
        double* totals = partial + n * 2 * layer.channels;
        std::fill(totals, totals + 2 * layer.channels, 0.0);
        for (int64_t begin = 0; begin < layer.channels; begin += BLOCK) {
            const int64_t count = std::min<int64_t>(BLOCK, layer.channels - begin);
            float total[BLOCK], product[BLOCK], open[BLOCK], seen[BLOCK];
            for (int64_t j = 0; j < count; ++j) {
                centre[j] = static_cast<float>(mean[begin + j]);
                inverse[j] = static_cast<float>(1.0 / deviation[begin + j]);
                open[j] = regrow ? 1.0f : mask[begin + j];
                seen[j] = mask[begin + j];
            }
            for (int64_t row = 0; row < rows; ++row) {
                std::fill(total, total + BLOCK, 0.0f);
                std::fill(product, product + BLOCK, 0.0f);
                for (int64_t column = 0; column < columns; ++column) {
                    const int64_t out = ((n * rows + row) * columns + column) * layer.channels + begin;
                    if (pool > 1) {
                        // The first pixel gets the gradient of the steps at which none spikes.
                        for (int64_t j = 0; j < count; ++j) first[j] = taken[j] = 0;
                        for (int64_t k = 0; k < pool * pool; ++k) {
                            const int64_t y = row * pool + k / pool, x = column * pool + k % pool;
                            const int64_t at = ((n * layer.height + y) * layer.width + x) * layer.channels + begin;
                            integrate<SOFT>(layer, sums + at, map, scale + begin, shift + begin, count, potential, train);
                            for (int64_t j = 0; j < count; ++j) first[j] |= train[j];
                        }
                        for (int64_t j = 0; j < count; ++j) first[j] = seen[j] != 0.0f ? ~first[j] : ~0u;
                    }
                    for (int64_t k = 0; k < pool * pool; ++k) {
                        const int64_t y = row * pool + k / pool, x = column * pool + k % pool;
                        const int64_t at = ((n * layer.height + y) * layer.width + x) * layer.channels + begin;
                        integrate<SOFT>(layer, sums + at, map, scale + begin, shift + begin, count, potential, train);
                        for (int64_t t = 0; t < layer.timesteps; ++t) {
                            const float* gradient = spike_gradient + t * pooled_stride + out;
                            for (int64_t j = 0; j < count; ++j) {
                                float passed = gradient[j];
                                if (pool > 1) {
                                    const uint32_t mine = (k == 0 ? first[j] : 0u)
                                                          | (seen[j] != 0.0f ? train[j] & ~taken[j] : 0u);
                                    passed = (mine >> t & 1u) ? passed : 0.0f;
                                }
                                incoming[t][j] = passed * open[j] + rate_gradient * seen[j];
                            }
                        }
                        if (pool > 1)
                            for (int64_t j = 0; j < count; ++j) taken[j] |= seen[j] != 0.0f ? train[j] : 0u;
                        carry_back<SOFT>(layer, incoming, potential, train, count);
                        // The static sums are one term at every step, so their gradient is the sum over the steps.
                        for (int64_t t = 1; layer.static_input && t < layer.timesteps; ++t)
                            for (int64_t j = 0; j < count; ++j) incoming[0][j] += incoming[t][j];
                        for (int64_t t = 0; t < (layer.static_input ? 1 : layer.timesteps); ++t)
                            add_moments(sums + t * map + at, incoming[t], centre, inverse, count,
                                        current_gradient + t * map + at, total, product);
                    }
                }
                for (int64_t j = 0; j < count; ++j) {
                    totals[begin + j] += total[j];
                    totals[layer.channels + begin + j] += product[j];
                }
            }
        }
    }
}

}  // namespace

extern "C" {

// Trains [N][H/pool][W/pool][C] (1 or 4 bytes each) from sums and batch norm as scale and shift per channel. Per image
// and channel: zero_sums counts the zero trains behind the pooling; potential_sums (may be null) adds |H| over map and
// steps, and spike_sums counts the spikes before mask and pooling.
void neuron_forward(const Layer* layer, const float* sums, const float* scale, const float* shift, const float* mask,
                    void* trains, int32_t train_bytes, double* potential_sums, double* spike_sums, double* zero_sums) {
    if (train_bytes == 1) {
        (layer->soft_reset ? forward<uint8_t, true> : forward<uint8_t, false>)(
            *layer, sums, scale, shift, mask, static_cast<uint8_t*>(trains), potential_sums, spike_sums, zero_sums);
    } else {
        (layer->soft_reset ? forward<uint32_t, true> : forward<uint32_t, false>)(
            *layer, sums, scale, shift, mask, static_cast<uint32_t*>(trains), potential_sums, spike_sums, zero_sums);
    }
}

// Gradient of the normalised sums (before batch norm's own gradient) from that of the pooled spikes, and per image and
// channel its sum and its product with the normalised sums: partial [N][2][C].
void neuron_backward(const Layer* layer, const float* sums, const float* scale, const float* shift, const float* mask,
                     int32_t regrow, float rate_gradient, const float* spike_gradient, const double* mean,
                     const double* deviation, float* current_gradient, double* partial) {
    (layer->soft_reset ? backward<true> : backward<false>)(*layer, sums, scale, shift, mask, regrow != 0, rate_gradient,
                                                           spike_gradient, mean, deviation, current_gradient, partial);
}

// Batch norm's gradient in place: gradient = factor * (gradient - offset - slope * (x - mean)) per channel.
void norm_backward(const float* x, float* gradient, int64_t rows, int64_t channels, const float* factor,
                   const float* offset, const float* slope, const float* mean) {
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; ++r) {
        const float* values = x + r * channels;
        float* target = gradient + r * channels;
        for (int64_t c = 0; c < channels; ++c)
            target[c] = factor[c] * (target[c] - offset[c] - slope[c] * (values[c] - mean[c]));
    }
}

}  // extern "C"

namespace {

struct Convolution {
    int64_t timesteps, images, height, width, inputs, outputs, kernel, stride;
    int64_t out_height, out_width;
    int64_t padding() const { return kernel / 2; }
};

// Lists of spiking channels per step and pixel of one image.
struct Events {
    std::vector<uint16_t> channel;
    std::vector<uint32_t> begin;   // [T][pixels + 1] into channel

    template <typename Train>
    void collect(const Convolution& shape, const Train* trains) {
        const int64_t pixels = shape.height * shape.width;
        channel.resize(shape.timesteps * pixels * shape.inputs);
        begin.resize(shape.timesteps * (pixels + 1));
        uint16_t* next = channel.data();
        for (int64_t t = 0; t < shape.timesteps; ++t) {
            for (int64_t p = 0; p < pixels; ++p) {
                begin[t * (pixels + 1) + p] = static_cast<uint32_t>(next - channel.data());
                const Train* row = trains + p * shape.inputs;
                // Always written, kept only where it spikes: no branch to predict.
                for (int64_t i = 0; i < shape.inputs; ++i) {
                    *next = static_cast<uint16_t>(i);
                    next += row[i] >> t & 1;
                }
            }
            begin[t * (pixels + 1) + pixels] = static_cast<uint32_t>(next - channel.data());
        }
    }
};

template <int VECTORS>
inline void store(const Vector* sum, float* target, int64_t floats) {
    if (floats == VECTORS * LANES)
        std::memcpy(target, sum, sizeof(Vector) * VECTORS);
    else
        std::memcpy(target, sum, sizeof(float) * floats);
}

// One image: out [T][..][out_height][out_width][outputs], VECTORS * LANES outputs from `column`.
template <int VECTORS>
void convolve_image(const Convolution& shape, const Events& events, const float* weights, int64_t padded,
                    int64_t column, float* out, int64_t step_stride) {
    const int64_t pixels = shape.height * shape.width, padding = shape.padding();
    const int64_t floats = std::min<int64_t>(VECTORS * LANES, shape.outputs - column);
    for (int64_t t = 0; t < shape.timesteps; ++t) {
        const uint32_t* begin = events.begin.data() + t * (pixels + 1);
        for (int64_t y = 0; y < shape.out_height; ++y) {
            for (int64_t x = 0; x < shape.out_width; ++x) {
                Vector sum[VECTORS], other[VECTORS];
#pragma GCC unroll 8
                for (int v = 0; v < VECTORS; ++v) sum[v] = other[v] = Vector{};
                for (int64_t ky = 0; ky < shape.kernel; ++ky) {
                    const int64_t in_y = y * shape.stride + ky - padding;
                    if (in_y < 0 || in_y >= shape.height) continue;
                    for (int64_t kx = 0; kx < shape.kernel; ++kx) {
                        const int64_t in_x = x * shape.stride + kx - padding;
                        if (in_x < 0 || in_x >= shape.width) continue;
                        const float* rows = weights + (ky * shape.kernel + kx) * shape.inputs * padded + column;
                        const uint16_t* event = events.channel.data() + begin[in_y * shape.width + in_x];
                        const uint16_t* last = events.channel.data() + begin[in_y * shape.width + in_x + 1];
                        if (VECTORS <= 4) {
                            // Two sums at a time hide the latency of the additions.
                            for (; event + 1 < last; event += 2) {
                                const Vector* row = reinterpret_cast<const Vector*>(rows + event[0] * padded);
                                const Vector* next = reinterpret_cast<const Vector*>(rows + event[1] * padded);
#pragma GCC unroll 8
                                for (int v = 0; v < VECTORS; ++v) {
                                    sum[v] += row[v];
                                    other[v] += next[v];
                                }
                            }
                        }
                        for (; event < last; ++event) {
                            const Vector* row = reinterpret_cast<const Vector*>(rows + *event * padded);
#pragma GCC unroll 8
                            for (int v = 0; v < VECTORS; ++v) sum[v] += row[v];
                        }
                    }
                }
#pragma GCC unroll 8
                for (int v = 0; v < VECTORS; ++v) sum[v] += other[v];
                store<VECTORS>(sum, out + t * step_stride + (y * shape.out_width + x) * shape.outputs + column, floats);
            }
        }
    }
}

// Sums over all subsets of the gradients of up to four steps: table [16][VECTORS].
template <int VECTORS>
inline void subset_sums(const float* gradient, int64_t step_stride, int64_t steps, int64_t floats,
                        Vector (*table)[VECTORS]) {
    for (int v = 0; v < VECTORS; ++v) table[0][v] = Vector{};
    for (int64_t t = 0; t < steps; ++t) {
        Vector row[VECTORS];
        for (int v = 0; v < VECTORS; ++v) row[v] = Vector{};
        std::memcpy(row, gradient + t * step_stride, sizeof(float) * floats);
        for (int s = 0; s < 1 << t; ++s)
#pragma GCC unroll 8
            for (int v = 0; v < VECTORS; ++v) table[(1 << t) + s][v] = table[s][v] + row[v];
    }
}

// Adds one image's weight gradient to sums [kernel*kernel][inputs][padded], outputs from `column`.
template <int VECTORS, typename Train>
void weight_gradient_image(const Convolution& shape, const Train* trains, const float* gradient, int64_t step_stride,
                           int64_t padded, int64_t column, float* sums) {
    const int64_t padding = shape.padding();
    const int64_t floats = std::min<int64_t>(VECTORS * LANES, shape.outputs - column);
    Vector table[SUBSETS][VECTORS];
    std::vector<uint16_t> channel(shape.width * shape.inputs);
    std::vector<uint8_t> pattern(shape.width * shape.inputs);
    std::vector<uint32_t> begin(shape.width + 1);
    for (int64_t first = 0; first < shape.timesteps; first += SUBSET_STEPS) {
        const int64_t steps = std::min<int64_t>(SUBSET_STEPS, shape.timesteps - first);
        for (int64_t in_y = 0; in_y < shape.height; ++in_y) {
            // The trains of one row that spike in these steps.
            uint32_t found = 0;
            for (int64_t x = 0; x < shape.width; ++x) {
                begin[x] = found;
                const Train* row = trains + (in_y * shape.width + x) * shape.inputs;
                for (int64_t i = 0; i < shape.inputs; ++i) {
                    const uint8_t bits = row[i] >> first & (SUBSETS - 1);
                    channel[found] = static_cast<uint16_t>(i);
                    pattern[found] = bits;
                    found += bits != 0;
                }
            }
            begin[shape.width] = found;
            for (int64_t ky = 0; ky < shape.kernel; ++ky) {
                const int64_t scaled = in_y + padding - ky;
                if (scaled < 0 || scaled % shape.stride) continue;
                const int64_t y = scaled / shape.stride;
                if (y >= shape.out_height) continue;
                for (int64_t x = 0; x < shape.out_width; ++x) {
                    subset_sums<VECTORS>(gradient + first * step_stride + (y * shape.out_width + x) * shape.outputs + column,
                                         step_stride, steps, floats, table);
                    for (int64_t kx = 0; kx < shape.kernel; ++kx) {
                        const int64_t in_x = x * shape.stride + kx - padding;
                        if (in_x < 0 || in_x >= shape.width) continue;
                        float* rows = sums + (ky * shape.kernel + kx) * shape.inputs * padded + column;
                        for (uint32_t e = begin[in_x]; e < begin[in_x + 1]; ++e) {
                            Vector* row = reinterpret_cast<Vector*>(rows + channel[e] * padded);
                            const Vector* added = table[pattern[e]];
#pragma GCC unroll 8
                            for (int v = 0; v < VECTORS; ++v) row[v] += added[v];
                        }
                    }
                }
            }
        }
    }
}

// Calls function<vectors>(column) for column blocks that cover `padded` outputs, at most `widest` vectors each.
#define FOR_COLUMN_BLOCKS(widest, CALL)                                              \
    for (int64_t column = 0; column < padded;) {                                     \
        const int64_t vectors = std::min<int64_t>((widest), (padded - column) / LANES); \
        switch (vectors) {                                                           \
            case 1: CALL(1); break;                                                  \
            case 2: CALL(2); break;                                                  \
            case 3: CALL(3); break;                                                  \
            case 4: CALL(4); break;                                                  \
            case 5: CALL(5); break;                                                  \
            case 6: CALL(6); break;                                                  \
            case 7: CALL(7); break;                                                  \
            default: CALL(8); break;                                                 \
        }                                                                            \
        column += vectors * LANES;                                                   \
    }

template <typename Train>
void convolve(const Convolution& shape, const Train* trains, const float* weights, float* out) {
    const int64_t padded = (shape.outputs + LANES - 1) / LANES * LANES;
    const int64_t in_size = shape.height * shape.width * shape.inputs;
    const int64_t out_size = shape.out_height * shape.out_width * shape.outputs;
#pragma omp parallel
    {
        Events events;
#pragma omp for schedule(static)
        for (int64_t n = 0; n < shape.images; ++n) {
            events.collect(shape, trains + n * in_size);
#define CONVOLVE(VECTORS) \
    convolve_image<VECTORS>(shape, events, weights, padded, column, out + n * out_size, shape.images * out_size)
            FOR_COLUMN_BLOCKS(8, CONVOLVE)
#undef CONVOLVE
        }
    }
}

template <typename Train>
void weight_gradient(const Convolution& shape, const Train* trains, const float* gradient, int64_t parts,
                     float* partial) {
    const int64_t padded = (shape.outputs + LANES - 1) / LANES * LANES;
    const int64_t size = shape.kernel * shape.kernel * shape.inputs * padded;
    const int64_t in_size = shape.height * shape.width * shape.inputs;
    const int64_t out_size = shape.out_height * shape.out_width * shape.outputs;
#pragma omp parallel for schedule(static)
    for (int64_t part = 0; part < parts; ++part) {
        float* sums = partial + part * size;
        std::fill(sums, sums + size, 0.0f);
        for (int64_t n = shape.images * part / parts; n < shape.images * (part + 1) / parts; ++n) {
#define GRADIENT(VECTORS)                                                                                        \
    weight_gradient_image<VECTORS>(shape, trains + n * in_size, gradient + n * out_size, shape.images * out_size, \
                                   padded, column, sums)
            FOR_COLUMN_BLOCKS(4, GRADIENT)
#undef GRADIENT
        }
    }
}

}  // namespace

extern "C" {

// out [T][N][out_height][out_width][outputs] of trains and weights [kernel*kernel][inputs][outputs, padded with zeros to
// whole vectors].
void spike_convolution(const Convolution* shape, const void* trains, int32_t train_bytes, const float* weights,
                       float* out) {
    if (train_bytes == 1)
        convolve(*shape, static_cast<const uint8_t*>(trains), weights, out);
    else
        convolve(*shape, static_cast<const uint32_t*>(trains), weights, out);
}

// Weight gradients of `parts` runs of images, each [kernel*kernel][inputs][padded outputs].
void spike_convolution_weight_gradient(const Convolution* shape, const void* trains, int32_t train_bytes,
                                       const float* gradient, int64_t parts, float* partial) {
    if (train_bytes == 1)
        weight_gradient(*shape, static_cast<const uint8_t*>(trains), gradient, parts, partial);
    else
        weight_gradient(*shape, static_cast<const uint32_t*>(trains), gradient, parts, partial);
}

// Spikes 0.0 / 1.0 [T][count] of trains [count].
void unpack(const void* trains, int32_t train_bytes, int64_t count, int64_t timesteps, float* spikes) {
#pragma omp parallel for schedule(static)
    for (int64_t t = 0; t < timesteps; ++t) {
        float* out = spikes + t * count;
        if (train_bytes == 1) {
            const uint8_t* bits = static_cast<const uint8_t*>(trains);
            for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(bits[i] >> t & 1);
        } else {
            const uint32_t* bits = static_cast<const uint32_t*>(trains);
            for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(bits[i] >> t & 1u);
        }
    }
}

}  // extern "C"
