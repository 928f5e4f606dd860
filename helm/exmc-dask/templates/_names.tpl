{{/* Names and labels. A component is scheduler, worker, coordinator or test. */}}

{{- define "exmc.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters, so that the longest suffix still fits into a name of 63. */}}
{{- define "exmc.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "exmc.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "exmc.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "exmc.selector" -}}
app.kubernetes.io/name: {{ include "exmc.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .group }}
exmc-dask/group: {{ . }}
{{- end }}
{{- end -}}

{{- define "exmc.labels" -}}
{{ include "exmc.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: exmc-dask
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The label that makes a pod a client in the eyes of the NetworkPolicy. */}}
{{- define "exmc.clientLabel" -}}
{{ include "exmc.fullname" . }}-client: "true"
{{- end -}}

{{- define "exmc.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "exmc.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "exmc.tlsSecret" -}}
{{- if eq .Values.tls.mode "certManager" -}}
{{- include "exmc.fullname" . }}-tls
{{- else -}}
{{- .Values.tls.secretName -}}
{{- end -}}
{{- end -}}

{{- define "exmc.address" -}}
{{- ternary "tcp" "tls" (eq .Values.tls.mode "none") -}}
://{{ include "exmc.fullname" . }}-scheduler:{{ .Values.scheduler.port }}
{{- end -}}

{{- define "exmc.image" -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (default .appVersion .tag) -}}
{{- end -}}
{{- end -}}
