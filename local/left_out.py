"""What a crawl with `operations: inventory` leaves out, and why: a review of all operations that need no parameters.

`local.account_operations` marks these in account_operations.txt. What the table says was read in the names of the
operations, and in their documentation in botocore where the names do not tell.
"""

from __future__ import annotations

from collections.abc import Mapping

# Reasons → services → boto3's names of their operations.
LEFT_OUT: Mapping[str, Mapping[str, str]] = {
    # Offerings, prices, versions, types, regions, what services support, and what AWS manages: the same for everyone.
    "AWS publishes it": {
        "account": "list_regions",
        "apigateway": "get_sdk_types",
        "artifact": "list_reports",
        "athena": "list_application_dpu_sizes list_engine_versions",
        "auditmanager": "get_services_in_scope",
        "autoscaling": (
            "describe_adjustment_types describe_auto_scaling_notification_types describe_lifecycle_hook_types "
            "describe_scaling_process_types describe_termination_policy_types"
        ),
        "backup": "get_supported_resource_types list_backup_plan_templates",
        "bcm-data-exports": "list_tables",
        "bedrock": "list_foundation_models",
        "chime-sdk-voice": "list_available_voice_connector_regions",
        "clouddirectory": "list_managed_schema_arns",
        "cloudtrail": "list_public_keys",
        "codebuild": "list_curated_environment_images",
        "codepipeline": "list_rule_types",
        "codestar-notifications": "list_event_types",
        "controlcatalog": "list_common_controls list_control_mappings list_controls list_domains list_objectives",
        "controltower": "list_baselines",
        "customer-profiles": "list_profile_object_type_templates list_recommender_recipes",
        "dax": "describe_default_parameters",
        "deadline": "list_available_metered_products",
        "devicefarm": "list_devices list_offering_promotions list_offerings",
        "devops-agent": "list_asset_types",
        "directconnect": "describe_locations",
        "dms": (
            "describe_applicable_individual_assessments describe_endpoint_types describe_engine_versions "
            "describe_event_categories describe_orderable_replication_instances"
        ),
        "docdb": "describe_certificates describe_db_engine_versions describe_event_categories",
        "dynamodb": "describe_endpoints",
        "ec2": (
            "describe_availability_zones describe_host_reservation_offerings describe_instance_type_offerings "
            "describe_instance_types describe_prefix_lists describe_regions describe_reserved_instances_offerings "
            "describe_spot_price_history describe_vpc_endpoint_services get_vpn_connection_device_types"
        ),
        "eks": "describe_addon_versions describe_cluster_versions list_access_policies",
        "elasticache": (
            "describe_cache_engine_versions describe_reserved_cache_nodes_offerings describe_service_updates"
        ),
        "elasticbeanstalk": "list_platform_branches list_platform_versions",
        "elb": "describe_load_balancer_policies describe_load_balancer_policy_types",
        "elbv2": "describe_ssl_policies",
        "emr": "list_release_labels",
        "entityresolution": "list_provider_services",
        "es": (
            "describe_reserved_elasticsearch_instance_offerings get_compatible_elasticsearch_versions "
            "list_elasticsearch_versions"
        ),
        "fis": "list_actions list_target_resource_types",
        "freetier": "list_account_activities",
        "glue": "list_connection_types",
        "grafana": "list_versions",
        "groundstation": "list_ground_stations",
        "health": "describe_event_types",
        "inspector": "list_rules_packages",
        "interconnect": "list_environments",
        "iot": "list_managed_job_templates",
        "kafka": "get_compatible_kafka_versions list_kafka_versions",
        "lambda-microvms": "list_managed_microvm_images",
        "launch-wizard": "list_workloads",
        "lex-models": "get_builtin_intents get_builtin_slot_types",
        "lightsail": (
            "get_blueprints get_bucket_bundles get_bundles get_container_api_metadata get_container_service_powers "
            "get_distribution_bundles get_load_balancer_tls_policies get_regions get_relational_database_blueprints "
            "get_relational_database_bundles"
        ),
        "logs": "describe_configuration_templates",
        "m2": "list_engine_versions",
        "macie2": "list_managed_data_identifiers",
        "marketplace-discovery": "list_purchase_options",
        "mediaconnect": "list_offerings",
        "mediaconvert": "describe_endpoints list_versions",
        "medialive": "list_offerings list_versions",
        "memorydb": "describe_engine_versions describe_reserved_nodes_offerings describe_service_updates",
        "migrationhuborchestrator": "list_templates",
        "mpa": "list_policies",
        "mq": "describe_broker_engine_types describe_broker_instance_options",
        "neptune": "describe_db_engine_versions describe_event_categories",
        "notifications": "list_managed_notification_configurations",
        "odb": (
            "list_autonomous_database_character_sets list_autonomous_database_versions list_db_system_shapes "
            "list_flex_components list_gi_versions"
        ),
        "opensearch": "describe_reserved_instance_offerings get_compatible_versions list_versions",
        "osis": "list_pipeline_blueprints",
        "outposts": "list_catalog_items list_orderable_instance_types",
        "personalize": "list_recipes",
        "pinpoint-sms-voice-v2": "describe_registration_type_definitions list_notify_countries",
        "polly": "describe_voices",
        "pricing": "describe_services",
        "qbusiness": "list_plugin_type_metadata",
        "ram": "list_resource_types",
        "rds": (
            "describe_certificates describe_db_engine_versions describe_db_major_engine_versions "
            "describe_event_categories describe_reserved_db_instances_offerings describe_source_regions"
        ),
        "redshift": (
            "describe_cluster_tracks describe_cluster_versions describe_event_categories "
            "describe_orderable_cluster_options describe_reserved_node_offerings"
        ),
        "redshift-serverless": "list_reservation_offerings list_tracks",
        "resiliencehub": "list_suggested_resiliency_policies",
        "resiliencehubv2": "list_test_templates",
        "resource-explorer-2": "list_managed_views list_supported_resource_types",
        "route53": "get_checker_ip_ranges",
        "route53-recovery-readiness": "list_rules",
        "route53domains": "list_prices",
        "route53resolver": "list_firewall_rule_types",
        "sagemaker": "list_model_metadata",
        "sagemaker-geospatial": "list_raster_data_collections",
        "savingsplans": "describe_savings_plans_offering_rates describe_savings_plans_offerings",
        "securityhub": "describe_products describe_products_v2 describe_standards list_security_control_definitions",
        "service-quotas": "list_services",
        "signer": "list_signing_platforms",
        "snowball": "list_pickup_locations",
        "ssm": "describe_available_patches get_inventory_schema",
        "ssm-quicksetup": "list_quick_setup_types",
        "ssm-sap": "list_configuration_check_definitions",
        "sso-admin": "list_application_providers",
        "support": "describe_services describe_severity_levels",
        "synthetics": "describe_runtime_versions",
        "taxsettings": "get_tax_exemption_types",
        "timestream-query": "describe_endpoints",
        "timestream-write": "describe_endpoints",
        "transfer": "list_security_policies",
        "translate": "list_languages",
        "trustedadvisor": "list_checks",
        "uxc": "list_services",
        "workspaces": "describe_applications",
        "workspaces-instances": "list_instance_types list_regions",
        "workspaces-thin-client": "list_software_sets",
    },
    # Settings, limits and enrollments of the account: no resources.
    "settings": {
        "autoscaling": "describe_account_settings",
        "cloudformation": "describe_account_limits",
        "compute-optimizer": "get_enrollment_statuses_for_organization",
        "compute-optimizer-automation": "list_accounts",
        "cost-optimization-hub": "list_enrollment_statuses",
        "ec2": (
            "describe_account_attributes describe_aggregate_id_format describe_id_format "
            "describe_instance_event_notification_attributes describe_principal_id_format "
            "get_capacity_manager_monitored_tag_keys"
        ),
        "ecs": "list_account_settings",
        "efs": "describe_account_preferences",
        "elb": "describe_account_limits",
        "elbv2": "describe_account_limits",
        "evs": "get_account_settings",
        "gamelift": "describe_ec2_instance_limits",
        "inspector2": "list_account_permissions",
        "iot": "list_v2_logging_levels",
        "macie2": "list_automated_discovery_accounts",
        "networkmanager": "list_organization_service_access_status",
        "payment-cryptography": "get_default_key_replication_regions",
        "pinpoint-sms-voice-v2": "describe_account_attributes describe_account_limits describe_spend_limits",
        "rds": "describe_account_attributes",
        "redshift": "describe_account_attributes",
        "resource-explorer-2": "list_streaming_access_for_services",
        "resourcegroupstaggingapi": "list_required_tags",
        "securitylake": "get_data_lake_organization_configuration",
        "shield": "describe_emergency_contact_settings",
    },
    # What was asked for, was done or has happened: requests, jobs, runs, builds, exports, sessions, events.
    "history": {
        "accessanalyzer": "list_policy_generations",
        "application-insights": "list_configuration_history",
        "appstream": "list_export_image_tasks",
        "arc-zonal-shift": "list_autoshifts list_zonal_shifts",
        "athena": "list_query_executions",
        "auditmanager": "list_notifications",
        "autoscaling": "describe_scaling_activities",
        "backup": "list_backup_jobs list_copy_jobs list_report_jobs list_restore_jobs list_scan_jobs",
        "backupsearch": "list_search_jobs list_search_result_export_jobs",
        "bedrock": (
            "list_advanced_prompt_optimization_jobs list_evaluation_jobs list_model_copy_jobs "
            "list_model_customization_jobs list_model_import_jobs list_model_invocation_jobs"
        ),
        "bedrock-agent-runtime": "list_sessions",
        "bedrock-agentcore": "list_batch_evaluations",
        "bedrock-runtime": "list_async_invokes",
        "chime": "list_phone_number_orders",
        "chime-sdk-voice": "list_phone_number_orders",
        "cleanroomsml": "list_audience_export_jobs list_audience_generation_jobs",
        "cloudcontrol": "list_resource_requests",
        "cloudformation": "list_hook_results list_resource_scans list_stack_refactors",
        "cloudtrail": "list_imports",
        "cloudwatch": "describe_alarm_history",
        "cloudwatchomni": "list_telemetry_query_sessions",
        "codebuild": "list_build_batches list_build_batches_for_project list_builds list_reports list_sandboxes",
        "codedeploy": "list_deployments",
        "codeguru-security": "list_scans",
        "comprehend": (
            "list_document_classification_jobs list_dominant_language_detection_jobs list_entities_detection_jobs "
            "list_events_detection_jobs list_key_phrases_detection_jobs list_pii_entities_detection_jobs "
            "list_sentiment_detection_jobs list_targeted_sentiment_detection_jobs list_topics_detection_jobs"
        ),
        "comprehendmedical": (
            "list_entities_detection_v2_jobs list_icd10_cm_inference_jobs list_phi_detection_jobs "
            "list_rx_norm_inference_jobs list_snomedct_inference_jobs"
        ),
        "compute-optimizer": "describe_recommendation_export_jobs",
        "compute-optimizer-automation": "list_automation_event_summaries list_automation_events",
        "config": "list_resource_evaluations",
        "controltower": "list_control_operations list_landing_zone_operations",
        "dataexchange": "list_jobs",
        "datasync": "list_task_executions",
        "dax": "describe_events",
        "devicefarm": "list_offering_transactions",
        "directconnect": "list_virtual_interface_test_history",
        "discovery": "describe_export_configurations describe_export_tasks describe_import_tasks",
        "dms": (
            "describe_events describe_replication_task_assessment_results describe_replication_task_assessment_runs "
            "describe_replication_task_individual_assessments"
        ),
        "docdb": "describe_events",
        "drs": "describe_jobs list_recovery_plan_executions",
        "ds": "list_ad_assessments",
        "dynamodb": "list_exports list_imports",
        "ec2": (
            "describe_bundle_tasks describe_capacity_block_extension_history "
            "describe_capacity_reservation_cancellation_quotes describe_conversion_tasks "
            "describe_declarative_policies_reports describe_export_image_tasks describe_export_tasks "
            "describe_image_usage_report_entries describe_image_usage_reports describe_import_image_tasks "
            "describe_import_snapshot_tasks describe_instance_sql_ha_history_states describe_mac_modification_tasks "
            "describe_network_insights_access_scope_analyses describe_network_insights_analyses "
            "describe_replace_root_volume_tasks describe_reserved_instances_modifications describe_store_image_tasks "
            "describe_volumes_modifications"
        ),
        "ecr": "list_replication_backfills",
        "elasticache": "describe_events",
        "elasticbeanstalk": "describe_events",
        "emr": "list_notebook_executions",
        "endusermessaging": "list_jobs",
        "events": "list_replays",
        "fis": "list_experiments",
        "forecast": (
            "list_dataset_import_jobs list_explainability_exports list_forecast_export_jobs "
            "list_predictor_backtest_export_jobs list_what_if_forecast_exports"
        ),
        "frauddetector": "get_batch_import_jobs get_batch_prediction_jobs list_event_predictions",
        "fsx": "describe_data_repository_tasks",
        "gamelift": "list_fleet_deployments",
        "gameliftstreams": "list_stream_sessions_by_account",
        "glue": (
            "list_column_statistics_task_runs list_data_quality_results list_data_quality_rule_recommendation_runs "
            "list_data_quality_ruleset_evaluation_runs"
        ),
        "greengrass": "list_bulk_deployments",
        "guardduty": "list_malware_scans",
        "health": "describe_events describe_events_for_organization",
        "healthlake": "list_data_transformation_jobs",
        "iam": "list_delegation_requests",
        "imagebuilder": "list_waiting_workflow_steps",
        "importexport": "list_jobs",
        "inspector": "list_assessment_runs",
        "inspector2": "list_cis_scans",
        "internetmonitor": "list_internet_events",
        "iot": (
            "list_command_executions list_detect_mitigation_actions_executions list_jobs list_ota_updates "
            "list_thing_registration_tasks"
        ),
        "iot-managed-integrations": "list_device_discoveries list_ota_tasks",
        "iotdeviceadvisor": "list_suite_runs",
        "iotsitewise": "list_bulk_import_jobs",
        "iotwireless": "list_wireless_device_import_tasks",
        "ivs": "list_streams",
        "ivs-realtime": "list_compositions",
        "lakeformation": "list_transactions",
        "lex-models": "get_migrations",
        "lexv2-models": "list_exports list_imports list_test_executions",
        "license-manager": "list_license_conversion_tasks",
        "lightsail": "get_cloud_formation_stack_records get_export_snapshot_records get_operations",
        "location": "list_jobs",
        "logs": "describe_export_tasks describe_import_tasks describe_queries",
        "lookoutequipment": "list_data_ingestion_jobs",
        "machinelearning": "describe_batch_predictions describe_evaluations",
        "marketplace-agreement": "list_agreement_requests list_billing_adjustment_requests",
        "mediaconvert": "list_jobs",
        "mediapackage": "list_harvest_jobs",
        "memorydb": "describe_events",
        "mgh": "list_migration_tasks",
        "mgn": "describe_jobs list_exports list_import_file_enrichments list_imports",
        "migrationhubstrategy": "list_import_file_task",
        "mturk": "list_qualification_requests",
        "neptune": "describe_events",
        "neptune-graph": "list_export_tasks list_import_tasks",
        "notifications": "list_managed_notification_events list_notification_events",
        "omics": "list_annotation_import_jobs list_batch list_runs list_variant_import_jobs",
        "organizations": "list_create_account_status list_handshakes_for_account list_handshakes_for_organization",
        "outposts": "list_capacity_tasks list_orders list_quotes",
        "personalize": (
            "list_batch_inference_jobs list_batch_segment_jobs list_data_deletion_jobs list_dataset_export_jobs "
            "list_dataset_import_jobs"
        ),
        "pinpoint-email": "list_deliverability_test_reports",
        "polly": "list_speech_synthesis_tasks",
        "proton": "list_deployments",
        "ram": "list_replace_permission_associations_work",
        "rds": "describe_events describe_export_tasks",
        "redshift": "describe_events describe_reserved_node_exchange_status describe_table_restore_status",
        "redshift-data": "list_sessions list_statements",
        "redshift-serverless": "list_table_restore_status",
        "rekognition": "list_media_analysis_jobs",
        "resiliencehub": "list_app_assessments",
        "resiliencehubv2": "list_reports",
        "route53domains": "list_operations",
        "sagemaker": (
            "list_actions list_ai_benchmark_jobs list_ai_recommendation_jobs list_artifacts list_associations "
            "list_auto_ml_jobs list_compilation_jobs list_contexts list_edge_packaging_jobs "
            "list_hyper_parameter_tuning_jobs list_inference_recommendations_jobs list_labeling_jobs "
            "list_monitoring_alert_history list_monitoring_executions list_optimization_jobs list_processing_jobs "
            "list_training_jobs list_training_sessions list_transform_jobs list_trial_components list_trials"
        ),
        "sagemaker-geospatial": "list_earth_observation_jobs list_vector_enrichment_jobs",
        "security-ir": "list_cases",
        "securityhub": "list_export_jobs_v2",
        "service-quotas": "list_requested_service_quota_change_history",
        "servicecatalog": "list_provisioned_product_plans list_record_history",
        "servicediscovery": "list_operations",
        "sesv2": "list_deliverability_test_reports list_export_jobs list_import_jobs",
        "shield": "list_attacks",
        "signer": "list_signing_jobs",
        "simpledbv2": "list_exports",
        "snow-device-management": "list_tasks",
        "ssm": (
            "describe_automation_executions describe_inventory_deletions list_command_invocations list_commands "
            "list_ops_item_events"
        ),
        "ssm-contacts": "list_engagements",
        "ssm-incidents": "list_incident_records",
        "storagegateway": "list_cache_reports",
        "support": "describe_cases",
        "supportauthz": "list_support_permit_requests",
        "timestream-write": "list_batch_load_tasks",
        "transcribe": (
            "list_call_analytics_jobs list_medical_scribe_jobs list_medical_transcription_jobs list_transcription_jobs"
        ),
        "translate": "list_text_translation_jobs",
        "wellarchitected": "list_notifications list_profile_notifications",
        "workdocs": "describe_activities",
        "workspaces": "describe_account_modifications",
    },
    # What a service found out about resources that other operations list: findings, recommendations, compliance,
    # metrics, health, statistics, pending maintenance.
    "about resources": {
        "application-insights": "list_problems",
        "arc-region-switch": "list_service_quota_warnings",
        "auditmanager": "list_control_domain_insights",
        "backup": (
            "list_backup_job_summaries list_copy_job_summaries list_restore_job_summaries list_scan_job_summaries"
        ),
        "bcm-recommended-actions": "list_recommended_actions",
        "bedrock-agentcore": "list_recommendations",
        "cloudwatch": "list_metrics",
        "codeguruprofiler": "get_findings_report_account_summary",
        "cognito-sync": "list_identity_pool_usage",
        "compute-optimizer": "get_lambda_function_recommendations get_recommendation_summaries",
        "compute-optimizer-automation": "list_recommended_action_summaries list_recommended_actions",
        "config": (
            "describe_compliance_by_config_rule describe_compliance_by_resource "
            "describe_config_rule_evaluation_status describe_configuration_recorder_status "
            "describe_conformance_pack_status describe_delivery_channel_status "
            "describe_organization_config_rule_statuses describe_organization_conformance_pack_statuses "
            "get_compliance_details_by_resource get_compliance_summary_by_resource_type "
            "get_discovered_resource_counts list_conformance_pack_compliance_scores"
        ),
        "cost-optimization-hub": "list_recommendations",
        "dms": (
            "describe_connections describe_pending_maintenance_actions describe_recommendation_limitations "
            "describe_recommendations describe_replications"
        ),
        "docdb": "describe_pending_maintenance_actions",
        "docdb-elastic": "list_pending_maintenance_actions",
        "dynamodb": "list_contributor_insights",
        "ec2": (
            "describe_addresses_attribute describe_application_status describe_capacity_block_status "
            "describe_capacity_reservation_topology describe_instance_credit_specifications "
            "describe_instance_image_metadata describe_instance_sql_ha_states describe_instance_status "
            "describe_instance_topology describe_locked_snapshots describe_snapshot_tier_status "
            "describe_volume_status get_aws_network_performance_data"
        ),
        "elasticache": "describe_update_actions",
        "gamelift": "describe_fleet_capacity describe_fleet_utilization",
        "glue": "get_crawler_metrics",
        "health": "describe_entity_aggregates",
        "imagebuilder": "list_image_scan_finding_aggregations list_image_scan_findings",
        "inspector": "list_findings",
        "inspector2": "list_coverage list_coverage_statistics list_findings",
        "iot": "get_behavior_model_training_summaries list_active_violations",
        "iotwireless": "get_metrics",
        "logs": "list_anomalies",
        "macie2": "list_findings",
        "mgh": "list_application_states",
        "neptune": "describe_pending_maintenance_actions",
        "network-security-manager": "list_aggregate_resource_synchronization_statuses",
        "observabilityadmin": "list_resource_telemetry list_resource_telemetry_for_organization",
        "rds": "describe_db_recommendations describe_pending_maintenance_actions",
        "redshift": "describe_cluster_db_revisions list_recommendations",
        "resiliencehub": "list_metrics list_recommendation_templates list_resource_grouping_recommendations",
        "resiliencehubv2": "list_dependencies",
        "resourcegroupstaggingapi": "get_compliance_summary",
        "securityhub": "get_findings get_findings_v2 get_remediations_v2",
        "securitylake": "list_data_lake_exceptions",
        "ses": "get_send_statistics",
        "sesv2": "list_recommendations list_reputation_entities",
        "ssm": (
            "describe_maintenance_window_schedule describe_ops_items get_ops_summary list_compliance_items "
            "list_compliance_summaries list_resource_compliance_summaries"
        ),
        "synthetics": "describe_canaries_last_run",
        "trustedadvisor": "list_organization_recommendations list_recommendations",
        "workspaces": "describe_workspaces_connection_status",
        "xray": "get_sampling_statistic_summaries",
    },
    # What another operation of the inventory lists: under an earlier API, with less, as a part of it, or from another
    # account. RDS, DocumentDB and Neptune share instances, clusters and their groups ("This operation can also return
    # information for Amazon Neptune DB instances and Amazon DocumentDB instances"): RDS lists them all.
    "listed otherwise": {
        "amplifybackend": "list_s3_buckets",
        "apigatewayv2": "get_domain_names",
        "arc-region-switch": "list_plans_in_region",
        "arc-zonal-shift": "list_managed_resources",
        "autoscaling": "describe_auto_scaling_instances describe_tags",
        "bedrock-agentcore-control": "list_policy_engine_summaries",
        "billingconductor": "list_account_associations",
        "chime-sdk-media-pipelines": "list_media_capture_pipelines",
        "cloudformation": "list_stacks",
        "cloudtrail": "list_trails",
        "cloudwatchomni": "list_spaces_for_organization",
        "codebuild": "list_shared_projects list_shared_report_groups",
        "codestar-connections": "list_connections list_hosts list_repository_links",
        "comprehend": "list_document_classifier_summaries list_entity_recognizer_summaries",
        "devops-guru": "list_monitored_resources",
        "directconnect": "describe_virtual_gateways",
        "discovery": "describe_tags",
        "docdb": (
            "describe_db_cluster_parameter_groups describe_db_cluster_snapshots describe_db_clusters "
            "describe_db_instances describe_db_subnet_groups describe_event_subscriptions"
        ),
        "ec2": "describe_tags",
        "ecs": "list_task_definition_families",
        "emr": "describe_job_flows",
        "es": (
            "describe_inbound_cross_cluster_search_connections describe_outbound_cross_cluster_search_connections "
            "describe_packages describe_reserved_elasticsearch_instances list_domain_names list_vpc_endpoints"
        ),
        "fms": "list_member_accounts",
        "gamelift": "list_fleets",
        "globalaccelerator": "list_cross_account_resource_accounts",
        "glue": "list_crawlers list_dev_endpoints list_jobs list_ml_transforms list_triggers",
        "iam": "get_account_authorization_details",
        "kafka": "list_clusters",
        "license-manager": (
            "list_license_configurations_for_organization list_received_licenses_for_organization "
            "list_resource_inventory"
        ),
        "lightsail": "get_active_names",
        "logs": "list_log_groups",
        "macie2": "describe_buckets",
        "mturk": "list_reviewable_hits",
        "neptune": (
            "describe_db_cluster_parameter_groups describe_db_cluster_snapshots describe_db_clusters "
            "describe_db_instances describe_db_parameter_groups describe_db_subnet_groups "
            "describe_event_subscriptions"
        ),
        "pinpoint-email": "get_dedicated_ips list_configuration_sets list_dedicated_ip_pools list_email_identities",
        "redshift": "describe_data_shares_for_consumer describe_data_shares_for_producer describe_tags",
        "resource-explorer-2": "list_service_indexes list_service_views",
        "resourcegroupstaggingapi": "get_tag_keys",
        "s3outposts": "list_outposts_with_s3",
        "securityhub": "get_resources_v2",
        "securitylake": "get_data_lake_sources",
        "ses": (
            "list_configuration_sets list_custom_verification_email_templates list_identities list_templates "
            "list_verified_email_addresses"
        ),
        "sms-voice": "list_configuration_sets",
        "snowball": "list_compatible_images",
        "ssm": "describe_instance_properties get_inventory list_nodes list_ops_item_related_items",
        "storagegateway": "describe_tape_archives",
        "wisdom": "list_assistants list_knowledge_bases",
    },
    # What the model does not say, and the documentation does: they need a parameter or a resource's endpoint, or else
    # list those of the caller, or of a default that need not exist.
    "needs more": {
        "appstream": "describe_application_fleet_associations describe_user_stack_associations",
        "batch": "list_jobs list_service_jobs",
        "cloudformation": "describe_events describe_stack_resources list_type_registrations list_type_versions",
        "cloudfront": "list_distribution_tenants_by_customization list_distributions_by_realtime_log_config",
        "directconnect": (
            "describe_direct_connect_gateway_associations describe_direct_connect_gateway_attachments "
            "list_virtual_interface_routes"
        ),
        "dms": "list_tags_for_resource",
        "ecs": "describe_clusters list_container_instances list_daemons list_services list_tasks",
        "efs": "describe_mount_targets",
        "elasticbeanstalk": (
            "describe_configuration_options describe_environment_managed_action_history "
            "describe_environment_managed_actions describe_instances_health"
        ),
        "elbv2": "describe_listeners describe_rules",
        "gamelift": "describe_game_session_details describe_game_sessions describe_player_sessions",
        "glue": "list_entities",
        "health": "describe_affected_entities_for_organization",
        "iam": "list_access_keys list_mfa_devices list_signing_certificates list_ssh_public_keys",
        "iot": "get_effective_policies list_audit_findings",
        "iotsitewise": "get_asset_property_value_history list_access_policies",
        "kinesis": "describe_stream list_shards",
        "kinesis-video-archived-media": "list_fragments",
        "kinesisvideo": "describe_mapped_resource_configuration",
        "kms": "list_retirable_grants",
        "logs": "describe_log_streams get_log_group_fields",
        "mturk": "list_bonus_payments",
        "neptunedata": "list_gremlin_queries list_open_cypher_queries",
        "network-firewall": "describe_logging_configuration list_analysis_reports",
        "networkmanager": "list_attachment_nat_configurations",
        "odb": "list_db_nodes",
        "personalize": "list_metric_attribution_metrics",
        "redshift-data": "list_databases",
        "resource-groups": "list_group_resources",
        "route53-recovery-cluster": "list_routing_controls",
        "s3vectors": "list_indexes list_vectors",
        "sagemaker": "list_pipeline_execution_steps",
        "servicecatalog": "get_provisioned_product_outputs",
        "stepfunctions": "list_executions",
        "vpc-lattice": "list_service_network_service_associations list_service_network_vpc_associations",
        "waf": "list_activated_rules_in_rule_group",
        "waf-regional": "list_activated_rules_in_rule_group",
        "workdocs": "describe_users",
    },
    # Money and usage. Each request to Cost Explorer (`ce`) is charged, too.
    "costs and usage": {
        "billing": "list_billing_view_segments list_business_support_subscription_history",
        "billingconductor": "list_billing_group_cost_reports",
        "ce": (
            "get_anomaly_monitors get_anomaly_subscriptions list_commitment_purchase_analyses "
            "list_cost_allocation_tag_backfill_history list_cost_allocation_tags list_cost_category_definitions "
            "list_cost_category_resource_associations list_savings_plans_purchase_recommendation_generation"
        ),
        "devops-guru": "get_cost_estimation",
        "freetier": "get_free_tier_usage",
        "inspector2": "list_usage_totals",
        "macie2": "get_usage_statistics get_usage_totals",
        "marketplace-agreement": "list_agreement_charges",
        "securityhub": "list_free_trial_statuses_v2",
    },
    # Its answer is nothing but a token. Secrets among other fields are redacted: `local/secret_fields.py`.
    "secrets": {
        "ecr": "get_authorization_token",
    },
    # What is kept in a resource: objects, messages, addresses.
    "contents": {
        "iot-data": "list_retained_messages",
        "mediastore-data": "list_items",
        "sesv2": "list_suppressed_destinations",
        "sns": "list_phone_numbers_opted_out",
    },
    # Of features that have ended: EC2-Classic, Elastic Graphics, DMS Fleet Advisor.
    "ended": {
        "dms": (
            "describe_fleet_advisor_collectors describe_fleet_advisor_databases describe_fleet_advisor_lsa_analysis "
            "describe_fleet_advisor_schema_object_summary describe_fleet_advisor_schemas"
        ),
        "ec2": (
            "describe_classic_link_instances describe_elastic_gpus describe_moving_addresses "
            "describe_vpc_classic_link describe_vpc_classic_link_dns_support"
        ),
        "elasticache": "describe_cache_security_groups",
        "rds": "describe_db_security_groups",
        "redshift": "describe_cluster_security_groups",
    },
}
