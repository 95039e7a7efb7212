import * as gmr from 'gmr-conv';
import { train } from './train.mjs';

console.log(await train(gmr));
