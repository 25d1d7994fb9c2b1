#pragma once

#include "lib/model/model.h"
#include "lib/transcoder/transcoder_file.h"

namespace superpose {

// Brings a file into the one form that transcoders have in memory (transcoder.h): input x_hat before the gain, target
// centred over d_model. Computed in float64, kept in float32, on the CPU.
//  - A scale of the activations: W_enc = scale W_enc, W_dec and b_dec_out divided by it. A skip needs nothing.
//  - An input after the gain: b_enc += (bias - b_dec) W_enc, then W_enc = gain W_enc row by row; a skip: b_dec_out +=
//    bias W_skip, W_skip = gain W_skip. norm_gain and norm_bias [d_model] are kept among the tensors.
//  - A target that is not centred: W_dec, b_dec_out and W_skip minus their means over d_model, which are kept as
//    W_dec_mean [d_sae], b_dec_out_mean [1] and W_skip_mean [d_model].
//  - b_dec [d_model] is zero where nothing (or nothing any more) is subtracted from the input.
// The convention of the result lists what was folded. No second copy of a whole matrix is made: what a matrix becomes
// is computed a few rows at a time. May throw what LibTorch throws.
TranscoderFile FoldToMemoryForm(const TranscoderFile& file, const LayerNorm& norm);

}  // namespace superpose
