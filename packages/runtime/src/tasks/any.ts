/** Encodes values that containerd passes on to the shim. Pure. */
import { create, toBinary } from '@bufbuild/protobuf';
import { type Any, AnySchema, type Timestamp } from '@bufbuild/protobuf/wkt';
import type { TaskStdio } from '@netyard/engine';
import { OptionsSchema } from '../containerd/gen/runc_options_pb.ts';
import type { OciProcess, OciResources, OciSpec } from '../oci.ts';

type JsonKind = { Spec: OciSpec; Process: OciProcess; LinuxResources: OciResources };

/** A part of the OCI specification, as JSON under the name by which Go's types are registered. */
export function packJson<K extends keyof JsonKind>(kind: K, value: JsonKind[K]): Any {
  const typeUrl = `types.containerd.io/opencontainers/runtime-spec/1/${kind}`;
  return create(AnySchema, { typeUrl, value: Buffer.from(JSON.stringify(value)) });
}

/** Options of the shim `io.containerd.runc.v2`: the OCI runtime to call, and its state directory. */
export function packShimOptions(binaryName: string, root: string): Any {
  const value = toBinary(OptionsSchema, create(OptionsSchema, { binaryName, root }));
  return create(AnySchema, { typeUrl: 'containerd.runc.v1.Options', value });
}

/** Nanoseconds since 1970; 0 if there is none (Go's zero time is before 1970). */
export function nanosecondsOf(time: Timestamp | undefined): bigint {
  if (!time || time.seconds < 0n) return 0n;
  return time.seconds * 1_000_000_000n + BigInt(time.nanos);
}

/**
 * The shim always copies a terminal's output to a file; without a terminal, it copies all streams or none. With stdin
 * but without outputs its start blocks, and so does every later command of the container.
 */
export function completeStdio(stdio: TaskStdio, tty: boolean): TaskStdio {
  const { stdin, stdout, stderr } = stdio;
  if (tty) return { stdin, stdout: stdout || '/dev/null', stderr: '' };
  if (stdin === '' && stdout === '' && stderr === '') return stdio;
  return { stdin, stdout: stdout || '/dev/null', stderr: stderr || '/dev/null' };
}
