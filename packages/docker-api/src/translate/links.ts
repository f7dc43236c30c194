/** Translates links of a container and of an endpoint. Pure. */
import type { EndpointSettings } from '@netyard/api-types';
import type { ContainerConfig, ContainerDetails } from '@netyard/engine';
import type { EndpointBody } from '../schemas/bodies.ts';
import type { Codec } from './field-codec.ts';

/** In HostConfig; inspect shows links in their full form. */
export const linkCodecs: { Links: Codec<string[], ContainerConfig, ContainerDetails> } = {
  Links: { read: (links) => ({ links }), show: ({ linkTexts }) => linkTexts },
};

export const readEndpointLinks = (settings: EndpointBody): string[] => settings?.Links ?? [];

export const showEndpointLinks = (links: readonly string[] = []): Pick<EndpointSettings, 'Links'> => ({
  Links: links.length > 0 ? [...links] : null,
});
