export { type CapturePlace, findCapturePlace } from './capture-place.ts';
export { explainNamed } from './explain/explain.ts';
export { type Explanation, printExplanation, type Step } from './explain/steps.ts';
export {
  addressedBridge,
  bridgeOf,
  type Crossing,
  isAddressed,
  isBareBridge,
  type JoinedBridge,
  joinedBridges,
  pairOf,
} from './joined-bridges.ts';
export type * from './model.ts';
export { type ObserveOptions, observeHost, observeNamespaces, type SurveyOptions, surveyHost } from './observe.ts';
export type { HostSurvey, NamespaceEntry } from './survey.ts';
export { findTarget, findTargets, qualifiedName, type SearchedHost, type Target } from './targets.ts';
