{{/*
What all pods have in common. `root` is the whole context, `own` the values of the component, and
`defaults` those of the chart's image with the group's changes laid over.
*/}}

{{- define "exmc.podSpec" -}}
serviceAccountName: {{ include "exmc.serviceAccount" .root }}
automountServiceAccountToken: false
enableServiceLinks: false  # their variables would configure Dask by accident
terminationGracePeriodSeconds: {{ .own.terminationGracePeriodSeconds }}
{{- with .root.Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .own.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .own.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "exmc.container" -}}
{{- $image := mergeOverwrite (deepCopy .root.Values.image) (default dict .own.image) (dict "appVersion" .root.Chart.AppVersion) -}}
image: {{ include "exmc.image" $image | quote }}
imagePullPolicy: {{ $image.pullPolicy }}
{{- with .root.Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
env:
  {{- include "exmc.env" . | nindent 2 }}
{{- with .own.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - name: scratch
    mountPath: /tmp
  - name: dask-config
    mountPath: /etc/dask
    readOnly: true
  {{- if ne .root.Values.tls.mode "none" }}
  - name: tls
    mountPath: /etc/exmc-dask/tls
    readOnly: true
  {{- end }}
  {{- with .mounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .own.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "exmc.env" -}}
{{- $env := dict
      "HOME" "/tmp"
      "TMPDIR" "/tmp"
      "DASK_TEMPORARY_DIRECTORY" "/tmp/dask"
      "EXMC_CACHE_DIR" "/tmp/exmc-dask"
      "CUPY_CACHE_DIR" "/tmp/cupy"
      "PYTHONUNBUFFERED" "1" -}}
{{- if ne .root.Values.tls.mode "none" -}}
  {{- $_ := set $env "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION" "true" -}}
  {{- $_ := set $env "DASK_DISTRIBUTED__COMM__TLS__CA_FILE" "/etc/exmc-dask/tls/ca.crt" -}}
  {{- range $role := list "SCHEDULER" "WORKER" "CLIENT" -}}
    {{- $_ := set $env (printf "DASK_DISTRIBUTED__COMM__TLS__%s__CERT" $role) "/etc/exmc-dask/tls/tls.crt" -}}
    {{- $_ := set $env (printf "DASK_DISTRIBUTED__COMM__TLS__%s__KEY" $role) "/etc/exmc-dask/tls/tls.key" -}}
  {{- end -}}
{{- end -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- range $name, $value := merge (deepCopy .own.env) $env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{- define "exmc.volumes" -}}
- name: scratch
  emptyDir:
    sizeLimit: {{ .own.scratchSize }}
- name: dask-config
  configMap:
    name: {{ include "exmc.fullname" .root }}-dask
{{- if ne .root.Values.tls.mode "none" }}
- name: tls
  secret:
    secretName: {{ include "exmc.tlsSecret" .root }}
    defaultMode: 0440  # the key is for the group of the pod
{{- end }}
{{- with .own.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Pods are made anew when what they read at their start has changed. */}}
{{- define "exmc.podMetadata" -}}
annotations:
  exmc-dask/config: {{ .root.Values.daskConfig | toJson | sha256sum | trunc 16 }}
  {{- with .own.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
labels:
  {{- /* Not the chart's version: a new chart alone restarts no pod. */}}
  {{- include "exmc.selector" . | nindent 2 }}
  app.kubernetes.io/part-of: exmc-dask
  {{- with .root.Values.commonLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .own.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* Startup may take a while on a cold node; afterwards a minute of silence means hung. */}}
{{- define "exmc.probes" -}}
startupProbe:
  httpGet:
    path: /health
    port: dashboard
  periodSeconds: 2
  failureThreshold: 90
readinessProbe:
  httpGet:
    path: /health
    port: dashboard
  periodSeconds: 5
  timeoutSeconds: 3
livenessProbe:
  httpGet:
    path: /health
    port: dashboard
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}
