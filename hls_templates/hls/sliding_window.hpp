// Turns a feature map into the windows of a convolution (FINN op ConvolutionInputGenerator_rtl, default style).
//
// Windows in raster order; within a window kernel row, kernel column, channel fold. The map lives in a cyclic buffer that
// holds little more than one window's span, so input is read while windows are written: each trip takes at most one word
// and gives at most one, and a word may be overwritten once neither the current nor the next window needs it.
//
// Template parameters
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

#include "ap_int.h"
#include "hls_stream.h"
#include "trip_count.hpp"

template <unsigned HEIGHT, unsigned WIDTH, unsigned FOLDS, unsigned KERNEL_H, unsigned KERNEL_W, unsigned STRIDE_H,
          unsigned STRIDE_W, unsigned DILATION_H, unsigned DILATION_W, unsigned DEPTH, unsigned WORD_BITS>
void sliding_window(hls::stream<ap_uint<WORD_BITS> >& in, hls::stream<ap_uint<WORD_BITS> >& out) {
    const unsigned ROW = WIDTH * FOLDS;  // words per input row
    const unsigned OUT_ROWS = (HEIGHT - (KERNEL_H - 1) * DILATION_H - 1) / STRIDE_H + 1;
    const unsigned OUT_COLUMNS = (WIDTH - (KERNEL_W - 1) * DILATION_W - 1) / STRIDE_W + 1;
    const unsigned IN_WORDS = HEIGHT * ROW;
    const unsigned OUT_WORDS = OUT_ROWS * OUT_COLUMNS * KERNEL_H * KERNEL_W * FOLDS;
    // From the first word of one window to the first word of the next, in the same row and at the end of a row.
    const unsigned STEP_W = STRIDE_W * FOLDS;
    const unsigned STEP_H = STRIDE_H * ROW - (OUT_COLUMNS - 1) * STEP_W;
    // From one tap's first word to the next tap's, in the same kernel row and at the end of it.
    const unsigned TAP_W = DILATION_W * FOLDS;
    const unsigned TAP_H = DILATION_H * ROW - (KERNEL_W - 1) * TAP_W;
    // A word is read back this many trips after it was written at the earliest, which is the latency of a block RAM.
    const unsigned WRITE_LATENCY = 1;

    ap_uint<WORD_BITS> buffer[DEPTH];
#pragma HLS DEPENDENCE variable=buffer inter false
    unsigned taken = 0;           // words read from the input
    unsigned given = 0;           // words written to the output
    unsigned window = 0;          // index of the current window's first word
    unsigned tap = 0;             // index of the current tap's first word, relative to the window
    unsigned write_address = 0;   // taken modulo DEPTH
    unsigned window_address = 0;  // window modulo DEPTH
    unsigned fold = 0, kernel_column = 0, kernel_row = 0, column = 0;

    while (given < OUT_WORDS || taken < IN_WORDS) {
#pragma HLS PIPELINE II=1
        SPIKEFOLD_TRIP();
        const unsigned current = window + tap + fold;
        const bool done = given == OUT_WORDS;
        const bool first_tap = fold == 0 && kernel_column == 0 && kernel_row == 0;
        const bool last_column = column == OUT_COLUMNS - 1;
        // While the first tap waits to be sent, the current window is still the one to keep.
        const unsigned keep_from = first_tap ? window : window + (last_column ? STEP_H : STEP_W);
        const bool slot_free =
            taken < DEPTH || done || (taken - DEPTH < keep_from && taken - DEPTH < current);
        const bool written = current + WRITE_LATENCY <= taken || taken == IN_WORDS;
        const bool take = taken < IN_WORDS && slot_free;

        if (!done && written) {
            unsigned address = window_address + tap + fold;  // a window spans at most DEPTH words: it wraps once
            if (address >= DEPTH) address -= DEPTH;
            out.write(buffer[address]);
            ++given;
            if (++fold == FOLDS) {
                fold = 0;
                unsigned tap_step = TAP_W;
                if (++kernel_column == KERNEL_W) {
                    kernel_column = 0;
                    tap_step = TAP_H;
                    ++kernel_row;
                }
                tap += tap_step;
                if (kernel_row == KERNEL_H) {
                    kernel_row = 0;
                    tap = 0;
                    const unsigned window_step = last_column ? STEP_H : STEP_W;
                    column = last_column ? 0 : column + 1;
                    window += window_step;
                    window_address += window_step % DEPTH;
                    if (window_address >= DEPTH) window_address -= DEPTH;
                }
            }
        }
        if (take) {
            buffer[write_address] = in.read();
            write_address = write_address == DEPTH - 1 ? 0 : write_address + 1;
            ++taken;
        }
    }
}

#endif
