/** What an inspection of the host reports. Types only. */

/** `broken`: containers do not start, or cannot communicate. `info`: a state that an administrator should know. */
export type CheckGrade = 'ok' | 'info' | 'warning' | 'broken';

export interface HostCheck {
  /** The kind of check, such as `desired state`. */
  id: string;
  grade: CheckGrade;
  /** Names the object. */
  text: string;
  /** An instruction; absent where nothing has to be done. */
  fix?: string;
}
