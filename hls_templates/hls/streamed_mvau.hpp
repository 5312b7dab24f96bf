// Matrix-vector product whose weights come in on a stream, once a frame: spiking_mvau.hpp, one neuron fold at a time.
#ifndef SPIKEFOLD_STREAMED_MVAU_HPP
#define SPIKEFOLD_STREAMED_MVAU_HPP

#include "spiking_mvau.hpp"

namespace spikefold {

// What spiking_mvau takes for one neuron fold of all vectors of a frame.
template <typename P>
struct one_neuron_fold : P {
    static constexpr int MH = P::PE;
};

// Gives a frame of WORDS words PASSES times.
template <int WORDS, int PASSES, int BITS>
void replay_frame(hls::stream<ap_uint<BITS>>& in, hls::stream<ap_uint<BITS>>& out) {
    ap_uint<BITS> frame[WORDS];
    for (int pass = 0; pass < PASSES; ++pass) {
        for (int word = 0; word < WORDS; ++word) {
#pragma HLS PIPELINE II = 1
            if (pass == 0) {
                frame[word] = in.read();
            }
            out.write(frame[word]);
        }
    }
}

// Reads FOLDS passes over PIXELS pixels and gives them pixel by pixel.
template <int PIXELS, int FOLDS, int BITS>
void transpose_frame(hls::stream<ap_uint<BITS>>& in, hls::stream<ap_uint<BITS>>& out) {
    ap_uint<BITS> frame[PIXELS * FOLDS];
    for (int fold = 0; fold < FOLDS; ++fold) {
        for (int pixel = 0; pixel < PIXELS; ++pixel) {
#pragma HLS PIPELINE II = 1
            frame[pixel * FOLDS + fold] = in.read();
        }
    }
    for (int word = 0; word < PIXELS * FOLDS; ++word) {
#pragma HLS PIPELINE II = 1
        out.write(frame[word]);
    }
}

// Weight words of one neuron fold.
template <int DEPTH, int WORDS, int BITS>
void read_weights(hls::stream<ap_uint<BITS>>& in, std::uint64_t (&weights)[DEPTH][WORDS]) {
    for (int address = 0; address < DEPTH; ++address) {
#pragma HLS PIPELINE II = 1
        const ap_uint<64 * WORDS> word = in.read();
        for (int part = 0; part < WORDS; ++part) {
#pragma HLS UNROLL
            weights[address][part] = word.range(64 * part + 63, 64 * part).to_uint64();
        }
    }
}

// P, STEP_BITS, initial and threshold as in spiking_mvau.hpp, MAP_PIXELS is 1. One call reads VECTORS*SF words of SIMD
// elements and NF*SF weight words, in the order nf*SF + sf, and writes VECTORS*NF words of PE results.
template <typename P, int STEP_BITS = 1, typename Constant>
void streamed_mvau(hls::stream<ap_uint<P::SIMD * (P::STATIC_INPUT ? P::INPUT_BITS : P::T * STEP_BITS)>>& in,
                   hls::stream<ap_uint<P::PE * P::SIMD * P::WEIGHT_BITS>>& weights,
                   hls::stream<ap_uint<P::PE * result_bits<P>()>>& out, const Constant (&initial)[P::MH],
                   const Constant (&threshold)[P::MH]) {
#pragma HLS DATAFLOW
    constexpr int SF = P::MW / P::SIMD;
    constexpr int NF = P::MH / P::PE;
    constexpr int IN_BITS = P::SIMD * (P::STATIC_INPUT ? P::INPUT_BITS : P::T * STEP_BITS);
    constexpr int OUT_BITS = P::PE * result_bits<P>();
    hls::stream<ap_uint<IN_BITS>> vectors("vectors");
    hls::stream<ap_uint<OUT_BITS>> results("results");
#pragma HLS STREAM variable = vectors depth = 2
#pragma HLS STREAM variable = results depth = 2
    replay_frame<P::VECTORS * SF, NF, IN_BITS>(in, vectors);
    for (int nf = 0; nf < NF; ++nf) {
#pragma HLS DATAFLOW
        std::uint64_t words[SF][P::WEIGHT_WORDS];
        Constant first[P::PE];
        Constant second[P::PE];
        read_weights<SF, P::WEIGHT_WORDS>(weights, words);
        for (int pe = 0; pe < P::PE; ++pe) {
#pragma HLS UNROLL
            first[pe] = initial[nf * P::PE + pe];
            second[pe] = threshold[nf * P::PE + pe];
        }
        spiking_mvau<one_neuron_fold<P>, STEP_BITS>(vectors, results, words, first, second);
    }
    transpose_frame<P::VECTORS, NF, OUT_BITS>(results, out);
}

// The same where the sums are the results.
template <typename P, int STEP_BITS = 1>
void streamed_mvau(hls::stream<ap_uint<P::SIMD * (P::STATIC_INPUT ? P::INPUT_BITS : P::T * STEP_BITS)>>& in,
                   hls::stream<ap_uint<P::PE * P::SIMD * P::WEIGHT_BITS>>& weights,
                   hls::stream<ap_uint<P::PE * result_bits<P>()>>& out) {
    static const std::int32_t unused[P::MH] = {};
    streamed_mvau<P, STEP_BITS>(in, weights, out, unused, unused);
}

}  // namespace spikefold

#endif
