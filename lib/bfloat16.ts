// bfloat16 on the host: the upper half of a float32, as native/backend/element_type.h has it. Files and users see the numbers, widened.

/** The bits of the nearest bfloat16 of each number, of two that are equally near those of the even one. NaN stays NaN. */
export function roundToBfloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const rounded = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; ++i) {
    const word = bits[i]!;
    const isNaN = (word & 0x7fffffff) > 0x7f800000;
    rounded[i] = isNaN ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return rounded;
}

/** The numbers that bits of bfloat16 stand for; float32 holds each. */
export function widenBfloat16(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; ++i) words[i] = bits[i]! << 16;
  return new Float32Array(words.buffer);
}
