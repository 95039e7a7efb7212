// ONNX models of one or two convolutions, made in memory.
import { product, type PeerCase } from './cases.js';
import { peerRequire } from './paths.js';

/** The part of protobufjs that is used here; its own types are not there before the peer is installed. */
interface Protobuf {
  parse(source: string, options: { keepCase: boolean }): { root: { lookupType(name: string): MessageType } };
}

interface MessageType {
  fromObject(value: object): object;
  encode(message: object): { finish(): Uint8Array };
}

// Of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) the fields that these models need.
const schema = `
syntax = "proto3";
package onnx;
message AttributeProto { string name = 1; int64 i = 3; repeated int64 ints = 8; int32 type = 20; }
message NodeProto { repeated string input = 1; repeated string output = 2; string op_type = 4; repeated AttributeProto attribute = 5; }
message TensorProto { repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9; }
message TensorShapeProto { message Dimension { int64 dim_value = 1; } repeated Dimension dim = 1; }
message TypeProto { message Tensor { int32 elem_type = 1; TensorShapeProto shape = 2; } Tensor tensor_type = 1; }
message ValueInfoProto { string name = 1; TypeProto type = 2; }
message GraphProto {
  repeated NodeProto node = 1; string name = 2; repeated TensorProto initializer = 5;
  repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12;
}
message OperatorSetIdProto { string domain = 1; int64 version = 2; }
message ModelProto { int64 ir_version = 1; GraphProto graph = 7; repeated OperatorSetIdProto opset_import = 8; }
`;
const float32 = 1;
const attributeInt = 2;
const attributeInts = 7;

function valueInfo(name: string, shape: readonly number[]): object {
  const dim = shape.map((extent) => ({ dim_value: extent }));
  return { name, type: { tensor_type: { elem_type: float32, shape: { dim } } } };
}

export function convModel({ input, layers }: PeerCase): { bytes: Uint8Array; outputShape: number[] } {
  const node: object[] = [];
  const initializer: object[] = [];
  let channels = input[1]!;
  layers.forEach(({ outputs, kernel, groups = 1 }, i) => {
    const shape = [outputs, channels / groups, ...kernel];
    const values = Float32Array.from({ length: product(shape) }, () => Math.random() - 0.5);
    initializer.push({ name: `w${i}`, dims: shape, data_type: float32, raw_data: new Uint8Array(values.buffer) });
    const half = kernel.map((side) => (side - 1) / 2);
    node.push({
      op_type: 'Conv',
      input: [i === 0 ? 'x' : `y${i - 1}`, `w${i}`],
      output: [i === layers.length - 1 ? 'y' : `y${i}`],
      attribute: [
        { name: 'pads', type: attributeInts, ints: [...half, ...half] },
        { name: 'group', type: attributeInt, i: groups },
      ],
    });
    channels = outputs;
  });
  const outputShape = [input[0]!, channels, ...input.slice(2)];
  const type = (peerRequire('protobufjs') as Protobuf)
    .parse(schema, { keepCase: true })
    .root.lookupType('onnx.ModelProto');
  const model = type.fromObject({
    ir_version: 8,
    opset_import: [{ domain: '', version: 13 }],
    graph: { name: 'peer', node, initializer, input: [valueInfo('x', input)], output: [valueInfo('y', outputShape)] },
  });
  return { bytes: type.encode(model).finish(), outputShape };
}
