// Turns a feature map into the windows of a convolution (FINN op ConvolutionInputGenerator_rtl, default style).
//
// Windows in raster order; within a window kernel row, kernel column, channel fold. The map lives in a cyclic buffer that
// holds little more than one window's span, so input is read while windows are written: each trip takes at most one word
// and gives at most one, and a word may be overwritten once neither the current nor the next window needs it.
//
// P is a struct of constants
//   HEIGHT, WIDTH                     rows and columns of the (already padded) input map
//   FOLDS                             words per pixel (channels / SIMD)
//   KERNEL_H, KERNEL_W                kernel rows and columns
//   STRIDE_H, STRIDE_W                distance between windows
//   DILATION_H, DILATION_W            distance between kernel taps
//   DEPTH                             words in the buffer, at least the span of a window
//   WORD_BITS                         width of a stream word (SIMD * element bits)
// Trips per frame: about span + OUT_ROWS * max(OUT_COLUMNS * KERNEL_H * KERNEL_W, STRIDE_H * WIDTH) * FOLDS
#ifndef SPIKEFOLD_SLIDING_WINDOW_HPP
#define SPIKEFOLD_SLIDING_WINDOW_HPP

#include <ap_int.h>
#include <hls_stream.h>

#include "trip_count.hpp"

namespace spikefold {

template <typename P>
void sliding_window(hls::stream<ap_uint<P::WORD_BITS>>& in, hls::stream<ap_uint<P::WORD_BITS>>& out) {
    constexpr unsigned ROW = P::WIDTH * P::FOLDS;  // words per input row
    constexpr unsigned OUT_ROWS = (P::HEIGHT - (P::KERNEL_H - 1) * P::DILATION_H - 1) / P::STRIDE_H + 1;
    constexpr unsigned OUT_COLUMNS = (P::WIDTH - (P::KERNEL_W - 1) * P::DILATION_W - 1) / P::STRIDE_W + 1;
    constexpr unsigned IN_WORDS = P::HEIGHT * ROW;
    constexpr unsigned OUT_WORDS = OUT_ROWS * OUT_COLUMNS * P::KERNEL_H * P::KERNEL_W * P::FOLDS;
    // From the first word of one window to the first word of the next, in the same row and at the end of a row.
    constexpr unsigned STEP_W = P::STRIDE_W * P::FOLDS;
    constexpr unsigned STEP_H = P::STRIDE_H * ROW - (OUT_COLUMNS - 1) * STEP_W;
    // From one tap's first word to the next tap's, in the same kernel row and at the end of it.
    constexpr unsigned TAP_W = P::DILATION_W * P::FOLDS;
    constexpr unsigned TAP_H = P::DILATION_H * ROW - (P::KERNEL_W - 1) * TAP_W;
    // A word is read back this many trips after it was written at the earliest, which is the latency of a block RAM.
    constexpr unsigned WRITE_LATENCY = 1;

    ap_uint<P::WORD_BITS> buffer[P::DEPTH];
#pragma HLS DEPENDENCE variable = buffer inter false
    unsigned taken = 0;           // words read from the input
    unsigned given = 0;           // words written to the output
    unsigned window = 0;          // index of the current window's first word
    unsigned tap = 0;             // index of the current tap's first word, relative to the window
    unsigned write_address = 0;   // taken modulo DEPTH
    unsigned window_address = 0;  // window modulo DEPTH
    unsigned fold = 0, kernel_column = 0, kernel_row = 0, column = 0;

    while (given < OUT_WORDS || taken < IN_WORDS) {
#pragma HLS PIPELINE II = 1
        SPIKEFOLD_TRIP();
        const unsigned current = window + tap + fold;
        const bool done = given == OUT_WORDS;
        const bool first_tap = fold == 0 && kernel_column == 0 && kernel_row == 0;
        const bool last_column = column == OUT_COLUMNS - 1;
        // While the first tap waits to be sent, the current window is still the one to keep.
        const unsigned keep_from = first_tap ? window : window + (last_column ? STEP_H : STEP_W);
        const bool slot_free =
            taken < P::DEPTH || done || (taken - P::DEPTH < keep_from && taken - P::DEPTH < current);
        const bool written = current + WRITE_LATENCY <= taken || taken == IN_WORDS;
        const bool take = taken < IN_WORDS && slot_free;

        if (!done && written) {
            unsigned address = window_address + tap + fold;  // a window spans at most DEPTH words: it wraps once
            if (address >= P::DEPTH) address -= P::DEPTH;
            out.write(buffer[address]);
            ++given;
            if (++fold == P::FOLDS) {
                fold = 0;
                unsigned tap_step = TAP_W;
                if (++kernel_column == P::KERNEL_W) {
                    kernel_column = 0;
                    tap_step = TAP_H;
                    ++kernel_row;
                }
                tap += tap_step;
                if (kernel_row == P::KERNEL_H) {
                    kernel_row = 0;
                    tap = 0;
                    const unsigned window_step = last_column ? STEP_H : STEP_W;
                    column = last_column ? 0 : column + 1;
                    window += window_step;
                    window_address += window_step % P::DEPTH;
                    if (window_address >= P::DEPTH) window_address -= P::DEPTH;
                }
            }
        }
        if (take) {
            buffer[write_address] = in.read();
            write_address = write_address == P::DEPTH - 1 ? 0 : write_address + 1;
            ++taken;
        }
    }
}

}  // namespace spikefold

#endif
