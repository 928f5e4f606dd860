{{/* The pod of the coordinator, apart from its Job because the Job is named by a hash of it. */}}

{{/* Another model is another run, beside the old one; more draws of the same go on with it. */}}
{{- define "exmc.store" -}}
{{- $what := pick .own "model" "files" "existingConfigMap" "data" "tune" "chains" "seed" "extraArgs" -}}
/checkpoints/run-{{ $what | toJson | sha256sum | trunc 8 }}.zarr
{{- end -}}

{{- define "exmc.coordinatorPod" -}}
{{- $own := .own -}}
metadata:
  {{- include "exmc.podMetadata" . | nindent 2 }}
    {{ include "exmc.clientLabel" .root }}
spec:
  {{- include "exmc.podSpec" . | nindent 2 }}
  restartPolicy: Never  # what podFailurePolicy needs; the Job starts the next pod
  containers:
    - name: coordinator
      {{- include "exmc.container" . | nindent 6 }}
      workingDir: {{ ternary "/models" "/tmp" (not (empty .files)) }}
      args:
        - exmc-dask
        - sample
        - {{ $own.model | quote }}
        - --scheduler
        - {{ include "exmc.address" .root }}
        - --draws
        - {{ $own.draws | quote }}
        - --tune
        - {{ $own.tune | quote }}
        - --chains
        - {{ $own.chains | quote }}
        {{- with $own.data }}
        - --data
        - {{ . | quote }}
        {{- end }}
        {{- if not (kindIs "invalid" $own.seed) }}
        - --seed
        - {{ $own.seed | quote }}
        {{- end }}
        {{- if $own.persistence.enabled }}
        - --store
        - {{ include "exmc.store" . }}
        - --resume  # the same command begins a run and goes on with it
        {{- end }}
        {{- range $own.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      resources:
        {{- toYaml $own.resources | nindent 8 }}
  volumes:
    {{- include "exmc.volumes" . | nindent 4 }}
    {{- with .files }}
    - name: files
      configMap:
        name: {{ . }}
    {{- end }}
    {{- if $own.persistence.enabled }}
    - name: checkpoints
      persistentVolumeClaim:
        claimName: {{ default .name $own.persistence.existingClaim }}
    {{- end }}
{{- end -}}
