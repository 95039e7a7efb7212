import * as gmr from 'gmr-conv';
import { GmrError, nn, type DoctorReport, type Tensor, type TensorOptions } from 'gmr-conv';

const options: TensorOptions = { requiresGrad: true };
const x: Tensor = gmr.tensor([[1, 2]], undefined, options);
const y: Tensor = new nn.Linear(2, 3).forward(x);
export const values: Promise<Float32Array | Int32Array> = y.data();
export const report: Promise<DoctorReport> = gmr.doctor();
export const isOurs = (error: unknown): boolean => error instanceof GmrError && error.code === 'invalid_shape';
// @ts-expect-error: a tensor is no number
export const wrong: number = gmr.ops.add(x, x);
