/**
 * Shapes of JSON values as plain data. docker-api derives validation from them, and TypeScript infers three types from
 * each: of requests, of the values that the daemon reads, and of responses.
 *
 * As in Go's decoder, on which clients rely, a missing field and `null` both mean the zero value.
 */
import type { ErrorCode } from '@netyard/core';

declare const types: unique symbol;

export interface Shape<In = unknown, Out = unknown, Answer = unknown> {
  readonly kind: 'text' | 'flag' | 'whole' | 'any' | 'words' | 'size' | 'keys' | 'list' | 'map' | 'object';
  /** Shape of the elements of a list or map. */
  readonly item?: Shape;
  readonly fields?: FieldTable;
  /** An object in a map that may be null. Lists and maps always may: null means empty. */
  readonly nullable?: true;
  readonly [types]?: { in: In; out: Out; answer: Answer };
}

export type InOf<S> = S extends Shape<infer In, unknown, unknown> ? In : never;
export type OutOf<S> = S extends Shape<unknown, infer Out, unknown> ? Out : never;
export type AnswerOf<S> = S extends Shape<unknown, unknown, infer Answer> ? Answer : never;

/** The command-line flag that fills a field; the CLI checks its value. */
export interface FlagFacts {
  readonly name: string;
  readonly short?: string;
  /** As shown by `--help`: string, bool, int, bytes, list, … */
  readonly type: string;
  readonly help: string;
  readonly default?: string;
  readonly hidden?: true;
  /** A flag of the docker CLI only; Netyard's CLI does not have it. */
  readonly dockerOnly?: true;
  /** Shell completion: a list of values, or a kind of object. */
  readonly complete?: string | readonly string[];
  /** Commands that have the flag. */
  readonly on: readonly FlagCommand[];
}

export type FlagCommand = 'run' | 'create' | 'update' | 'exec' | 'network create' | 'network connect' | 'volume create';

export type Status =
  | 'supported'
  /**
   * The request fails, with Docker's message if Docker rejects the field too. `inOperation`: not before the operation
   * itself rejects it, in Docker's order of checks.
   */
  | { readonly rejected: string; readonly code: ErrorCode; readonly hint?: string; readonly inOperation?: true }
  /** Accepted, with this warning in the response. */
  | { readonly warning: string }
  /** Accepted without effect, as in Docker; the reason. */
  | { readonly ignored: string };

/** Properties of a field in addition to its shape. */
export interface Facts {
  /** First API version (1.N) with the field: older versions ignore it, like a daemon of that version. */
  readonly since?: number;
  readonly flags?: readonly FlagFacts[];
  /** Flags of other fields that also fill this one. */
  readonly also?: readonly string[];
  /** Absent means supported. */
  readonly status?: Status;
  /** Omitted from JSON if zero (Go's `omitempty`). */
  readonly omitEmpty?: true;
  /** A list or map without elements is `[]` or `{}` in JSON; otherwise `null`. */
  readonly emptyAsValue?: true;
  /** Required in every request. */
  readonly required?: true;
  /** For docs/compatibility.md. */
  readonly remark?: string;
}

/** `missing`: the value of an absent field. */
export type Field<S extends Shape = Shape, Missing extends 'zero' | 'none' = 'zero' | 'none'> = Facts & {
  readonly shape: S;
  readonly missing: Missing;
};

export type FieldTable = Readonly<Record<string, Field>>;

type RequiredKeys<T> = { [K in keyof T]: T[K] extends { required: true } ? K : never }[keyof T];
type OmittedKeys<T> = { [K in keyof T]: T[K] extends { omitEmpty: true } ? K : never }[keyof T];
type ShapeIn<F> = F extends { shape: infer S } ? InOf<S> : never;
type ShapeAnswer<F> = F extends { shape: infer S } ? AnswerOf<S> : never;
type Simplify<T> = { [K in keyof T]: T[K] };

type OutOfField<F> =
  F extends Field<infer S, infer Missing> ? ('none' extends Missing ? OutOf<S> | null | undefined : OutOf<S>) : never;

type InOfField<F> = F extends { omitEmpty: true }
  ? ShapeIn<F>
  : F extends { missing: 'none' }
    ? ShapeIn<F> | null
    : ShapeIn<F>;

/** Type of a request. */
export type Input<T> = Simplify<
  { [K in RequiredKeys<T>]: InOfField<T[K]> } & { [K in Exclude<keyof T, RequiredKeys<T>>]?: InOfField<T[K]> }
>;
/** Type that the daemon reads: missing fields have zero values. */
export type Output<T> = { [K in keyof T]: OutOfField<T[K]> };

type AnswerOfField<F> = F extends { missing: 'none'; omitEmpty: true }
  ? ShapeAnswer<F>
  : F extends { missing: 'none' }
    ? ShapeAnswer<F> | null
    : ShapeAnswer<F>;

/** Type of a response with these fields. */
export type Answer<T> = Simplify<
  { [K in Exclude<keyof T, OmittedKeys<T>>]: AnswerOfField<T[K]> } & { [K in OmittedKeys<T>]?: AnswerOfField<T[K]> }
>;

const shape = <In, Out, A>(kind: Shape['kind'], more: Omit<Shape, 'kind'> = {}): Shape<In, Out, A> =>
  ({ kind, ...more }) as Shape<In, Out, A>;

export const text = shape<string, string, string>('text');
export const flag = shape<boolean, boolean, boolean>('flag');
export const whole = shape<number, number, number>('whole');
/** Any value. */
export const anything = shape<unknown, unknown, unknown>('any');
/** One string or several (Go's strslice). */
export const words = shape<string[] | string, string[], string[]>('words');
/** Rows and columns of a terminal. */
export const size = shape<[number, number], [number, number], [number, number]>('size');
/** Go's `map[string]struct{}`: a set. */
type Keys = Record<string, Record<string, never>> | null;
export const keys = shape<Keys, string[], Keys>('keys');

/** Text with a set of values in the client's type; the daemon accepts any text. */
export const oneOf = <T extends string>(): Shape<T, string, T> => shape('text');

export const list = <S extends Shape>(item: S): Shape<InOf<S>[] | null, OutOf<S>[], AnswerOf<S>[] | null> =>
  shape('list', { item });

export const map = <S extends Shape>(
  item: S,
): Shape<Record<string, InOf<S>> | null, Record<string, OutOf<S>>, Record<string, AnswerOf<S>> | null> =>
  shape('map', { item });

export const object = <const T extends FieldTable>(fields: T): Shape<Input<T>, Output<T>, Answer<T>> =>
  shape('object', { fields });

/** For objects in a map. */
export const orNull = <In, Out, A>(inner: Shape<In, Out, A>): Shape<In | null, Out | null, A | null> =>
  ({ ...inner, nullable: true }) as Shape<In | null, Out | null, A | null>;

/** A field whose missing value is its shape's zero value. */
export const zero = <S extends Shape, const F extends Facts = Record<never, never>>(
  of: S,
  facts?: F,
): Field<S, 'zero'> & F => ({ shape: of, missing: 'zero', ...facts }) as Field<S, 'zero'> & F;

/** A field whose absence differs from its zero value. */
export const none = <S extends Shape, const F extends Facts = Record<never, never>>(
  of: S,
  facts?: F,
): Field<S, 'none'> & F => ({ shape: of, missing: 'none', ...facts }) as Field<S, 'none'> & F;
