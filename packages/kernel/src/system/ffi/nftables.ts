/** Bindings to libnftables(3), without logic. The library is loaded at the first call of `libnftables()`. */
import { loadLibrary } from './libc.ts';

/** A struct nft_ctx. */
export type NftContextPointer = unknown;

export interface Libnftables {
  nft_ctx_new(flags: number): NftContextPointer;
  nft_ctx_free(context: NftContextPointer): void;
  nft_ctx_output_set_flags(context: NftContextPointer, flags: number): void;
  nft_ctx_set_dry_run(context: NftContextPointer, dry: boolean): void;
  nft_ctx_buffer_output(context: NftContextPointer): number;
  nft_ctx_buffer_error(context: NftContextPointer): number;
  /** `commands` ends with NUL. */
  nft_run_cmd_from_buffer(context: NftContextPointer, commands: Uint8Array): number;
  /** On a thread of the pool. */
  nft_run_cmd_from_buffer_async(
    context: NftContextPointer,
    commands: Uint8Array,
    done: (error: unknown, status: number) => void,
  ): void;
  nft_ctx_get_output_buffer(context: NftContextPointer): string;
  nft_ctx_get_error_buffer(context: NftContextPointer): string;
}

function declareLibnftables(): Libnftables {
  const nft = loadLibrary('libnftables.so.1');
  return {
    nft_ctx_new: nft.declare('void *nft_ctx_new(uint32_t flags)'),
    nft_ctx_free: nft.declare('void nft_ctx_free(void *context)'),
    nft_ctx_output_set_flags: nft.declare('void nft_ctx_output_set_flags(void *context, unsigned int flags)'),
    nft_ctx_set_dry_run: nft.declare('void nft_ctx_set_dry_run(void *context, bool dry)'),
    nft_ctx_buffer_output: nft.declare('int nft_ctx_buffer_output(void *context)'),
    nft_ctx_buffer_error: nft.declare('int nft_ctx_buffer_error(void *context)'),
    nft_run_cmd_from_buffer: nft.declare('int nft_run_cmd_from_buffer(void *context, const uint8_t *commands)'),
    nft_run_cmd_from_buffer_async: nft.declareAsync(
      'int nft_run_cmd_from_buffer(void *context, const uint8_t *commands)',
    ),
    nft_ctx_get_output_buffer: nft.declare('const char *nft_ctx_get_output_buffer(void *context)'),
    nft_ctx_get_error_buffer: nft.declare('const char *nft_ctx_get_error_buffer(void *context)'),
  };
}

let loaded: Libnftables | undefined; // a lazily computed constant, not state

export function libnftables(): Libnftables {
  loaded ??= declareLibnftables();
  return loaded;
}
