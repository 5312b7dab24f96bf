// One time step of an integer integrate-and-fire neuron.
#ifndef SPIKEFOLD_NEURON_HPP
#define SPIKEFOLD_NEURON_HPP

#include "integers.hpp"

namespace spikefold {

enum Neuron { NEURON_NONE = 0, NEURON_IF = 1, NEURON_LIF = 2, NEURON_SUMS = 3, NEURON_LATEIF = 4, NEURON_DELAYEDLIF = 5 };

// KIND            NEURON_IF, NEURON_LIF, NEURON_DELAYEDLIF, which leaks behind the comparison, or NEURON_LATEIF, which is
//                 IF but for what it is given: the currents of all steps in the first one, and 0 in the others
// LEAK_SHIFT      k: the leak is V >> k (arithmetic); not used by IF and LateIF
// SOFT_RESET      subtract the threshold where it spiked, else set V to 0
// POTENTIAL_BITS  width of V, before and after the reset
// Updates V with the step's current (already scaled, bias included) and returns whether the neuron spiked.
template <int KIND, int LEAK_SHIFT, bool SOFT_RESET, int POTENTIAL_BITS, typename Current, typename Threshold>
inline bool neuron_step(signed_int<POTENTIAL_BITS>& potential, Current current, Threshold threshold) {
#pragma HLS INLINE
    if (KIND == NEURON_LIF) {
        potential = potential - (potential >> LEAK_SHIFT);
    }
    potential = potential + current;
    const bool spike = potential >= threshold;
    if (KIND == NEURON_DELAYEDLIF) {
        potential = potential - (potential >> LEAK_SHIFT);
    }
    if (spike) {
        potential = SOFT_RESET ? static_cast<signed_int<POTENTIAL_BITS>>(potential - threshold)
                               : static_cast<signed_int<POTENTIAL_BITS>>(0);
    }
    return spike;
}

// HALF_START      half the threshold instead of 0; DelayedLIF's has leaked once
// V before the first step.
template <int KIND, int LEAK_SHIFT, bool HALF_START, int POTENTIAL_BITS, typename Threshold>
inline signed_int<POTENTIAL_BITS> initial_potential(Threshold threshold) {
#pragma HLS INLINE
    if (!HALF_START) {
        return 0;
    }
    const Threshold half = threshold >> 1;
    return static_cast<signed_int<POTENTIAL_BITS>>(KIND == NEURON_DELAYEDLIF ? half - (half >> LEAK_SHIFT) : half);
}

}  // namespace spikefold

#endif
