export { GmrResNet, gmrResnet18, gmrResnet34, gmrResnet50, type GmrResNetOptions } from './resnet.js';
