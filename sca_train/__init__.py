"""Quantization-aware training of spiking networks with activity-based channel pruning (SCA, Li et al., ICML 2024)."""
