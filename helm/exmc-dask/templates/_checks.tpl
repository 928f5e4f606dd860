{{/* What the schema cannot see: values that need each other, and what the cluster has to offer. */}}

{{- define "exmc.checks" -}}
{{- $tls := .Values.tls -}}
{{- if eq $tls.mode "existingSecret" -}}
  {{- /* Without a cluster, as under `helm template`, nothing can be looked up. */ -}}
  {{- $reachable := lookup "v1" "ServiceAccount" .Release.Namespace "default" -}}
  {{- $secret := lookup "v1" "Secret" .Release.Namespace $tls.secretName -}}
  {{- if and $reachable (not $secret) -}}
    {{- fail (printf "tls.secretName: there is no secret %q in namespace %q. Make one:\n  exmc-dask certs certs/\n  kubectl -n %s create secret generic %s --from-file=certs/" $tls.secretName .Release.Namespace .Release.Namespace $tls.secretName) -}}
  {{- end -}}
  {{- range $key := list "ca.crt" "tls.crt" "tls.key" -}}
    {{- if and $secret (not (hasKey (default dict $secret.data) $key)) -}}
      {{- fail (printf "tls.secretName: secret %q has no key %s; `exmc-dask certs` writes ca.crt, tls.crt and tls.key" $tls.secretName $key) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if and (eq $tls.mode "certManager") (not (.Capabilities.APIVersions.Has "cert-manager.io/v1")) -}}
  {{- fail "tls.mode: certManager needs cert-manager, which this cluster does not have; install it, or use existingSecret with `exmc-dask certs`" -}}
{{- end -}}
{{- if and .Values.metrics.enabled (not (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) -}}
  {{- fail "metrics.enabled needs the Prometheus operator, which this cluster does not have; install it, or set metrics.enabled=false" -}}
{{- end -}}
{{- $coordinator := .Values.coordinator -}}
{{- if $coordinator.enabled -}}
  {{- $file := first (splitList ":" $coordinator.model) -}}
  {{- if and $coordinator.files $coordinator.existingConfigMap -}}
    {{- fail "coordinator.files and coordinator.existingConfigMap: give one of them" -}}
  {{- end -}}
  {{- if not (or (hasPrefix "/" $file) $coordinator.existingConfigMap (hasKey $coordinator.files $file)) -}}
    {{- fail (printf "coordinator.model: there is no file %s; give it with --set-file 'coordinator.files.%s=PATH', name a ConfigMap that holds it in coordinator.existingConfigMap, or use an absolute path in the image" $file (replace "." "\\." $file)) -}}
  {{- end -}}
{{- end -}}
{{- range $name, $own := .Values.workers -}}
  {{- $group := mergeOverwrite (deepCopy $.Values.workerDefaults) (default dict $own) -}}
  {{- $scaling := $group.autoscaling -}}
  {{- if and $scaling.enabled (gt (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
    {{- fail (printf "workers.%s.autoscaling: minReplicas %v is more than maxReplicas %v" $name $scaling.minReplicas $scaling.maxReplicas) -}}
  {{- end -}}
{{- end -}}
{{- end -}}
